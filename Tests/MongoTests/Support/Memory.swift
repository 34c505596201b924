import Foundation

/// What this process holds.
enum Memory {
  /// Pages in memory, in bytes.
  static func residentBytes() -> Int {
    let fields = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8))?.split(separator: " ") ?? []
    guard fields.count > 1, let pages = Int(fields[1]) else { return 0 }
    return pages * Int(sysconf(Int32(_SC_PAGESIZE)))
  }

  /// Bytes that the heap has handed out and not got back: no allocator's slack in it, so that a leak shows exactly.
  static func heapBytes() -> Int {
    let info = mallinfo2()
    return info.uordblks + info.hblkhd
  }
}
