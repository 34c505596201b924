#include "CSimdJSON.h"

#include <exception>
#include <memory>

#include <simdjson.h>

namespace {

/// Deepest nesting that any caller may allow; lower limits are the caller's to check.
constexpr size_t kMaxDepth = 512;

/// A parser that has seen a document beyond this is dropped, so that one large body does not stay resident for ever:
/// its buffers take about ten bytes per byte of JSON.
constexpr size_t kKeptCapacity = 1 << 20;

thread_local std::unique_ptr<simdjson::dom::parser> parser;

int status(simdjson::error_code code) {
  switch (code) {
  case simdjson::SUCCESS:
    return CSIMDJSON_OK;
  case simdjson::DEPTH_ERROR:
    return CSIMDJSON_TOO_DEEP;
  case simdjson::UTF8_ERROR:
    return CSIMDJSON_INVALID_UTF8;
  case simdjson::NUMBER_ERROR:
    return CSIMDJSON_NUMBER;
  case simdjson::EMPTY:
    return CSIMDJSON_EMPTY;
  case simdjson::CAPACITY:
  case simdjson::MEMALLOC:
    return CSIMDJSON_CAPACITY;
  default:
    return CSIMDJSON_SYNTAX;
  }
}

} // namespace

int csimdjson_parse(const uint8_t *json, size_t length, csimdjson_document *document) {
  if (length == 0) {
    return CSIMDJSON_EMPTY;
  }
  try {
    if (!parser) {
      auto fresh = std::make_unique<simdjson::dom::parser>();
      const auto allocated = fresh->allocate(4096, kMaxDepth);
      if (allocated != simdjson::SUCCESS) {
        return status(allocated);
      }
      parser = std::move(fresh);
    }
    const auto code = parser->parse(json, length, true).error();
    if (code != simdjson::SUCCESS) {
      csimdjson_release();
      return status(code);
    }
    document->tape = parser->doc.tape.get();
    document->strings = parser->doc.string_buf.get();
    return CSIMDJSON_OK;
  } catch (const std::exception &) {
    // An exception must not cross into C; what can throw here is an allocation.
    parser.reset();
    return CSIMDJSON_CAPACITY;
  }
}

void csimdjson_release(void) {
  if (parser && parser->capacity() > kKeptCapacity) {
    parser.reset();
  }
}
