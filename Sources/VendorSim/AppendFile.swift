import Foundation

/// Why a file operation failed; carries the system's reason.
struct FileError: Error, CustomStringConvertible {
  let description: String

  /// - Parameter what: the operation, `open` for example. Reads `errno`.
  init(_ what: String, _ path: String) {
    description = "cannot \(what) \(path): \(String(cString: strerror(errno)))"
  }

  init(message: String) { description = message }
}

/// A file that grows at its end and is read anywhere.
///
/// Blocking: only for threads of one's own. Reads may run beside a write. The descriptor closes with the last
/// reference, so that a reader that is under way when the file is replaced finishes on the old one; closing a file that has been
/// synced does not block.
final class AppendFile: Sendable {
  let path: String
  private let descriptor: Int32

  /// Opens a file, or creates it.
  init(_ path: String, truncate: Bool = false) throws(FileError) {
    let flags = O_RDWR | O_CREAT | O_CLOEXEC | (truncate ? O_TRUNC : 0)
    let descriptor = open(path, flags, 0o644)
    guard descriptor >= 0 else { throw FileError("open", path) }
    self.path = path
    self.descriptor = descriptor
  }

  deinit { close(descriptor) }

  func size() throws(FileError) -> UInt64 {
    let end = lseek(descriptor, 0, SEEK_END)
    guard end >= 0 else { throw FileError("measure", path) }
    return UInt64(end)
  }

  /// Writes all bytes at `offset`.
  func write(_ bytes: [UInt8], at offset: UInt64) throws(FileError) {
    var written = 0
    while written < bytes.count {
      let count = bytes.withUnsafeBytes { buffer in
        pwrite(descriptor, buffer.baseAddress! + written, buffer.count - written, off_t(offset) + off_t(written))
      }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { throw FileError("write to", path) }
      written += count
    }
  }

  /// Returns when everything written is on the disk.
  func sync() throws(FileError) {
    guard fdatasync(descriptor) == 0 else { throw FileError("sync", path) }
  }

  func truncate(to size: UInt64) throws(FileError) {
    guard ftruncate(descriptor, off_t(size)) == 0 else { throw FileError("truncate", path) }
  }

  /// At most `count` bytes from `offset`; fewer at the end of the file.
  func read(at offset: UInt64, count: Int) throws(FileError) -> [UInt8] {
    var failed = false
    let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
      while filled < count {
        let got = pread(descriptor, buffer.baseAddress! + filled, count - filled, off_t(offset) + off_t(filled))
        if got < 0, errno == EINTR { continue }
        if got < 0 { failed = true }
        if got <= 0 { break }
        filled += got
      }
    }
    if failed { throw FileError("read", path) }
    return bytes
  }

  /// Puts a new file in the place of an old one, durably.
  static func replace(_ path: String, with other: String) throws(FileError) {
    guard rename(other, path) == 0 else { throw FileError("replace", path) }
    let folder = open(
      (path as NSString).deletingLastPathComponent.isEmpty
        ? "." : (path as NSString).deletingLastPathComponent, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard folder >= 0 else { throw FileError("open the folder of", path) }
    defer { close(folder) }
    guard fsync(folder) == 0 else { throw FileError("sync the folder of", path) }
  }
}

/// Keeps a second process from writing the same ledger; let go of when the process ends, however it ends.
final class LockFile: Sendable {
  private let descriptor: Int32

  init(_ path: String) throws(FileError) {
    descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw FileError("open", path) }
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      let taken = errno == EWOULDBLOCK
      close(descriptor)
      throw taken
        ? FileError(message: "another process writes this ledger (\(path) is locked)") : FileError("lock", path)
    }
  }

  deinit { close(descriptor) }
}
