import CSV
import HTTP
import Runtime

/// What makes a CSV piece by piece.
protocol CSVSource: Sendable {
  /// The next bytes, possibly none yet; nil at the end.
  mutating func next() async throws -> [UInt8]?
}

/// A CSV that is made as its client reads it. One piece is in memory; a client that takes nothing for as long as the server
/// waits (`HTTPServer.Deadlines.sendStall`) is cut off, and the source is asked no more.
actor CSVStream<Source: CSVSource> {
  private var source: Source
  private let request: APIRequest

  init(_ source: Source, for request: APIRequest) {
    self.source = source
    self.request = request
  }

  /// - Throws: whatever the source throws: the connection is broken off then, so that nobody takes the part for the whole.
  func next() async throws -> [UInt8]? {
    do {
      while true {
        try Task.checkCancellation()
        var moved = source
        let piece = try await moved.next()
        source = moved
        guard let piece else { return nil }
        if !piece.isEmpty { return piece }
      }
    } catch {
      if !(error is CancellationError) {
        request.log.warning(
          "an export was broken off",
          [
            LogKey.requestID: .string(request.http.id), "path": .string(request.http.path),
            LogKey.error: .string("\(error)"),
          ])
      }
      throw error
    }
  }
}

extension HTTPResponse {
  static let csvType = "text/csv"

  /// A CSV for a file of this name.
  static func csv(_ source: some CSVSource, as name: String, for request: APIRequest) -> HTTPResponse {
    let stream = CSVStream(source, for: request)
    return HTTPResponse(
      headers: [
        "Content-Type": "\(csvType); charset=utf-8; header=present",
        "Content-Disposition": "attachment; filename=\"\(name).csv\"",
      ], body: .stream(length: nil) { try await stream.next() })
  }
}
