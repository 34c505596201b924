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

/// For the thread's next text; empty while a document is read.
thread_local std::unique_ptr<simdjson::dom::parser> spare;

void keep(std::unique_ptr<simdjson::dom::parser> parser) {
  if (parser && parser->capacity() <= kKeptCapacity) {
    spare = std::move(parser);
  }
}

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
    auto parser = std::move(spare);
    if (!parser) {
      parser = std::make_unique<simdjson::dom::parser>();
      const auto allocated = parser->allocate(4096, kMaxDepth);
      if (allocated != simdjson::SUCCESS) {
        return status(allocated);
      }
    }
    const auto code = parser->parse(json, length, true).error();
    if (code != simdjson::SUCCESS) {
      keep(std::move(parser));
      return status(code);
    }
    document->tape = parser->doc.tape.get();
    document->strings = parser->doc.string_buf.get();
    document->parser = parser.release();
    return CSIMDJSON_OK;
  } catch (const std::exception &) {
    // An exception must not cross into C; what can throw here is an allocation.
    return CSIMDJSON_CAPACITY;
  }
}

void csimdjson_release(csimdjson_document *document) {
  keep(std::unique_ptr<simdjson::dom::parser>(static_cast<simdjson::dom::parser *>(document->parser)));
  document->parser = nullptr;
}
