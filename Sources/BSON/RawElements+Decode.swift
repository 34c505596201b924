extension RawElement {
  /// The value, copied out of `bytes`; nil when it breaks its type's own rules or nests deeper than the limit.
  func decode(_ bytes: UnsafeRawBufferPointer, depth: Int = 0) -> BSONValue? {
    let start = value.lowerBound
    switch type {
    case .double: return .double(Double(bitPattern: integer(bytes)))
    case .string: return text(bytes, at: start, upTo: value.upperBound).map(BSONValue.string)
    case .document: return document(bytes, value).map(BSONValue.document)
    case .array: return array(bytes, depth: depth)
    case .binary: return binary(bytes)
    case .objectID: return .objectID(ObjectID(loadingFrom: bytes.baseAddress! + start))
    case .bool: return bytes[start] <= 1 ? .bool(bytes[start] == 1) : nil
    case .date: return .date(milliseconds: Int64(bitPattern: integer(bytes)))
    case .null: return .null
    case .regex: return regex(bytes)
    case .int32: return .int32(Int32(littleEndian: bytes.loadUnaligned(fromByteOffset: start, as: Int32.self)))
    case .int64: return .int64(Int64(bitPattern: integer(bytes)))
    case .timestamp: return .timestamp(integer(bytes))
    case .decimal128: return .decimal128(low: integer(bytes), high: integer(bytes, offset: 8))
    case .minKey: return .minKey
    case .maxKey: return .maxKey
    case .undefined: return .undefined
    case .javascript: return text(bytes, at: start, upTo: value.upperBound).map(BSONValue.javascript)
    case .symbol: return text(bytes, at: start, upTo: value.upperBound).map(BSONValue.symbol)
    case .javascriptWithScope: return codeWithScope(bytes)
    case .dbPointer:
      let id = value.upperBound - 12
      return text(bytes, at: start, upTo: id).map {
        .dbPointer(namespace: $0, id: ObjectID(loadingFrom: bytes.baseAddress! + id))
      }
    }
  }

  private func integer(_ bytes: UnsafeRawBufferPointer, offset: Int = 0) -> UInt64 {
    UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: value.lowerBound + offset, as: UInt64.self))
  }

  /// A length-prefixed string that fills `at..<upTo`, its NUL included.
  private func text(_ bytes: UnsafeRawBufferPointer, at: Int, upTo: Int) -> String? {
    guard upTo - at >= 5, RawElements.length(bytes, at) == upTo - at - 4, bytes[upTo - 1] == 0 else { return nil }
    return String(decoding: bytes[(at + 4)..<(upTo - 1)], as: UTF8.self)
  }

  private func document(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) -> BSONDocument? {
    let nested = UnsafeRawBufferPointer(rebasing: bytes[range])
    guard RawElements.hasFrame(nested) else { return nil }
    return BSONDocument(uncheckedCopying: nested)
  }

  private func array(_ bytes: UnsafeRawBufferPointer, depth: Int) -> BSONValue? {
    let nested = UnsafeRawBufferPointer(rebasing: bytes[value])
    guard depth < BSONLimits.depth, RawElements.hasFrame(nested) else { return nil }
    var values: [BSONValue] = []
    var elements = RawElements(nested)
    while let element = elements.next() {
      guard let value = element.decode(nested, depth: depth + 1) else { return nil }
      values.append(value)
    }
    return .array(values)
  }

  private func binary(_ bytes: UnsafeRawBufferPointer) -> BSONValue? {
    let subtype = bytes[value.lowerBound + 4]
    var start = value.lowerBound + 5
    if subtype == BSONBinary.oldGeneric {
      guard value.upperBound - start >= 4, RawElements.length(bytes, start) == value.upperBound - start - 4 else {
        return nil
      }
      start += 4
    }
    return .binary(subtype: subtype, bytes: Array(bytes[start..<value.upperBound]))
  }

  private func regex(_ bytes: UnsafeRawBufferPointer) -> BSONValue? {
    guard let middle = RawElements.zero(bytes, from: value.lowerBound, before: value.upperBound) else { return nil }
    return .regex(
      pattern: String(decoding: bytes[value.lowerBound..<middle], as: UTF8.self),
      options: String(decoding: bytes[(middle + 1)..<(value.upperBound - 1)], as: UTF8.self))
  }

  private func codeWithScope(_ bytes: UnsafeRawBufferPointer) -> BSONValue? {
    guard let (code, scope) = codeAndScope(bytes), let text = text(bytes, at: code.lowerBound, upTo: code.upperBound),
      let document = document(bytes, scope)
    else { return nil }
    return .javascriptWithScope(code: text, scope: document)
  }

  /// Where the two parts of code with scope lie.
  func codeAndScope(_ bytes: UnsafeRawBufferPointer) -> (code: Range<Int>, scope: Range<Int>)? {
    let start = value.lowerBound + 4
    guard value.upperBound - start >= 5 + BSONLimits.emptyDocument, let length = RawElements.length(bytes, start),
      length >= 1, length <= value.upperBound - start - 4 - BSONLimits.emptyDocument
    else { return nil }
    return (start..<(start + 4 + length), (start + 4 + length)..<value.upperBound)
  }
}
