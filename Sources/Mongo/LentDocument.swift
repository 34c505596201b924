import BSON
import CMongoC

/// A `bson_t` wants 128-byte alignment, which Swift does not give its own values, and may point into itself. So it is never
/// held by value: it lives in a scoped, aligned buffer, and its pointer must not escape the closure.
private func withStorage<R>(_ body: (_ bson: OpaquePointer) -> R) -> R {
  withUnsafeTemporaryAllocation(byteCount: Int(MINICRM_BSON_SIZE), alignment: Int(MINICRM_BSON_ALIGNMENT)) {
    body(OpaquePointer($0.baseAddress!))
  }
}

/// Lends a document's bytes to libmongoc, without a copy, for the duration of `body`.
func lend<R>(_ document: BSONDocument, _ body: (OpaquePointer) -> R) -> R {
  document.bytes.withUnsafeBytes { bytes in
    withStorage { bson in
      // Cannot fail: a BSONDocument's length prefix is always the number of its bytes. Static: nothing to destroy.
      bson_init_static(bson, bytes.baseAddress, bytes.count)
      return body(bson)
    }
  }
}

func lend<R>(
  _ first: BSONDocument, _ second: BSONDocument, _ body: (OpaquePointer, OpaquePointer) -> R
) -> R {
  lend(first) { first in lend(second) { second in body(first, second) } }
}

func lend<R>(
  _ first: BSONDocument, _ second: BSONDocument, _ third: BSONDocument,
  _ body: (OpaquePointer, OpaquePointer, OpaquePointer) -> R
) -> R {
  lend(first, second) { first, second in lend(third) { third in body(first, second, third) } }
}

/// What a libmongoc call left behind.
struct Outcome {
  let succeeded: Bool
  let reply: BSONDocument
  let error: bson_error_t
}

/// Runs a call that fills a reply and an error, and destroys the reply on every path.
func outcome(_ body: (_ reply: OpaquePointer, _ error: inout bson_error_t) -> Bool) -> Outcome {
  withStorage { reply in
    // Calls that fail early may leave the reply alone. One that initialises it again loses nothing: an empty document
    // owns no memory.
    bson_init(reply)
    defer { bson_destroy(reply) }
    var error = bson_error_t()
    let succeeded = body(reply, &error)
    return Outcome(succeeded: succeeded, reply: BSONDocument(copying: reply), error: error)
  }
}

extension BSONDocument {
  /// One copy of a document that libmongoc owns.
  init(copying bson: OpaquePointer) {
    self.init(
      uncheckedCopying: UnsafeRawBufferPointer(start: bson_get_data(bson), count: Int(minicrm_bson_length(bson))))
  }
}
