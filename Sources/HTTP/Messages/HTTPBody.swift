/// Why a request body could not be read to its end.
public enum HTTPBodyError: Error, Equatable, Sendable, CustomStringConvertible {
  /// More bytes than the reader allows: answer 413.
  case tooLarge(limit: Int)
  /// The client went away, was too slow, or the server is stopping: nobody will read the answer.
  case disconnected
  /// The body has been read before, or by another task: a streamed body can be read once.
  case alreadyRead

  public var description: String {
    switch self {
    case .tooLarge(let limit): "the body has more than \(limit) bytes"
    case .disconnected: "the client did not send the whole body"
    case .alreadyRead: "the body has been read already"
    }
  }
}

/// The body of a request: collected before the handler runs, or, on routes that stream, read as it arrives.
///
/// Iterating a streamed body holds back the client: no more than a few hundred kilobytes wait in memory.
public struct HTTPBody: Sendable {
  enum Storage: Sendable {
    case bytes([UInt8])
    case stream(BodyStream)
  }

  let storage: Storage

  /// A body that is there already.
  public init(_ bytes: [UInt8] = []) { storage = .bytes(bytes) }

  init(stream: BodyStream) { storage = .stream(stream) }

  public static let empty = HTTPBody()

  /// The whole body if it was collected before the handler ran; `nil` on a route that streams.
  public var bytes: [UInt8]? {
    if case .bytes(let bytes) = storage { bytes } else { nil }
  }

  /// Reads the body to its end.
  ///
  /// - Parameter limit: how many bytes are accepted.
  public func collect(upTo limit: Int) async throws(HTTPBodyError) -> [UInt8] {
    switch storage {
    case .bytes(let bytes):
      if bytes.count > limit { throw .tooLarge(limit: limit) }
      return bytes
    case .stream(let stream):
      var collected: [UInt8] = []
      while let chunk = try await stream.next() {
        if collected.count + chunk.count > limit { throw .tooLarge(limit: limit) }
        collected.append(contentsOf: chunk)
      }
      return collected
    }
  }
}

extension HTTPBody: AsyncSequence {
  public struct AsyncIterator: AsyncIteratorProtocol {
    fileprivate var pending: [UInt8]?
    fileprivate let stream: BodyStream?

    /// The next chunk, never empty; `nil` at the end.
    public mutating func next() async throws(HTTPBodyError) -> [UInt8]? {
      try await next(isolation: nil)
    }

    /// As `next()`.
    public mutating func next(isolation actor: isolated (any Actor)?) async throws(HTTPBodyError) -> [UInt8]? {
      if let stream { return try await stream.next() }
      defer { pending = nil }
      return pending
    }
  }

  public func makeAsyncIterator() -> AsyncIterator {
    switch storage {
    case .bytes(let bytes): AsyncIterator(pending: bytes.isEmpty ? nil : bytes, stream: nil)
    case .stream(let stream): AsyncIterator(pending: nil, stream: stream)
    }
  }
}
