import JSON

/// What came of importing a file.
struct ImportResult {
  var rows = 0
  var accepted: Int64 = 0
  var rejected = 0
  /// The first rejections, in words.
  var samples: [String] = []
  var seconds = 0.0

  var perSecond: Int { seconds > 0 ? Int(Double(rows) / seconds) : 0 }
}

/// Sends rows to a bulk endpoint, a batch a request.
struct BulkImport {
  /// Rows and bytes of a request; the API takes 10,000 and 10 MiB.
  private static let rowsPerRequest = 2_500
  private static let bytesPerRequest = 4 << 20

  let api: APIClient
  let path: String
  /// The name of the array in the request.
  let key: String

  func run(_ nextRow: () throws -> JSONObject?) async throws -> ImportResult {
    var result = ImportResult()
    let clock = ContinuousClock()
    let began = clock.now
    var writer = startRequest()
    var rows = 0
    while let row = try nextRow() {
      writer.value(.object(row))
      rows += 1
      if rows == Self.rowsPerRequest || writer.bytes.count > Self.bytesPerRequest {
        try await send(&writer, rows, &result)
        writer = startRequest()
        rows = 0
      }
    }
    if rows > 0 { try await send(&writer, rows, &result) }
    result.seconds = (clock.now - began) / .seconds(1)
    return result
  }

  private func startRequest() -> JSONWriter {
    var writer = JSONWriter()
    writer.beginObject()
    writer.key(key)
    writer.beginArray()
    return writer
  }

  private func send(_ writer: inout JSONWriter, _ rows: Int, _ result: inout ImportResult) async throws {
    writer.endArray()
    writer.endObject()
    let answer = try await api.post(path, writer.bytes)
    let rejected = answer["data"]?["rejected"]?.arrayValue ?? []
    result.accepted += answer["data"]?["accepted"]?.intValue ?? 0
    result.rejected += rejected.count
    for rejection in rejected.prefix(max(0, 3 - result.samples.count)) {
      let row = result.rows + Int(rejection["index"]?.intValue ?? 0) + 1
      result.samples.append("row \(row): \(rejection["errors"]?.encodedString() ?? "")")
    }
    result.rows += rows
  }
}
