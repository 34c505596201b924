/// A C view of simdjson's DOM parser: one call parses a whole document, and the caller walks the tape itself.
///
/// The tape is simdjson's documented format (doc/tape.md of the library): 64-bit words, type in the top byte.
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum csimdjson_status {
  CSIMDJSON_OK = 0,
  /// More nesting than the parser was made for.
  CSIMDJSON_TOO_DEEP = 1,
  CSIMDJSON_INVALID_UTF8 = 2,
  CSIMDJSON_NUMBER = 3,
  CSIMDJSON_EMPTY = 4,
  /// No memory for the parser's buffers, or a document beyond 4 GB.
  CSIMDJSON_CAPACITY = 5,
  CSIMDJSON_SYNTAX = 6,
};

struct csimdjson_document {
  /// Word 0 is the root word; its payload is the index of the final root word.
  const uint64_t *tape;
  /// Strings, each a native-endian 32-bit length, the bytes, and a NUL.
  const uint8_t *strings;
  /// What owns both; for `csimdjson_release`.
  void *parser;
};

/// Parses `length` bytes at `json` and describes the result in `document`.
///
/// The pointers stay valid until `csimdjson_release`, whatever else is parsed meanwhile; it must be called once for each
/// `CSIMDJSON_OK`. `json` needs no padding: it is copied.
int csimdjson_parse(const uint8_t *json, size_t length, struct csimdjson_document *document);

/// Says that the document is no longer read. Its parser is kept for the thread's next text unless its buffers have grown
/// large.
void csimdjson_release(struct csimdjson_document *document);

#ifdef __cplusplus
}
#endif
