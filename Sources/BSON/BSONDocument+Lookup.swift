extension BSONDocument {
  /// The first value of `key`, found by a linear scan that makes no other key's `String`.
  ///
  /// Setting replaces it in place or appends it; setting nil removes it.
  public subscript(key: String) -> BSONValue? {
    get {
      bytes.withUnsafeBytes { bytes in Self.find(key, in: bytes)?.decode(bytes) }
    }
    set {
      guard let old = bytes.withUnsafeBytes({ Self.find(key, in: $0) }) else {
        if let newValue { append(key, newValue) }
        return
      }
      var element = BSONDocument()
      if let newValue { element.append(key, newValue) }
      if element.hasInvalidKey { hasInvalidKey = true }
      bytes.replaceSubrange(
        (old.key.lowerBound - 1)..<old.value.upperBound, with: element.bytes[4..<(element.bytes.count - 1)])
      storeLength()
    }
  }

  /// True when there is an element of this key, null included.
  public func contains(key: String) -> Bool { bytes.withUnsafeBytes { Self.find(key, in: $0) != nil } }

  /// The value at a dotted path, as MongoDB names it: `doc[path: "send.vendor.id"]`. Digits index arrays.
  public subscript(path path: String) -> BSONValue? {
    value(at: path.split(separator: ".", omittingEmptySubsequences: false).map(String.init))
  }

  /// The value at a path of keys; a number as key indexes an array. Nothing but the last value is decoded.
  public func value(at path: [String]) -> BSONValue? {
    guard let last = path.last else { return nil }
    return bytes.withUnsafeBytes { bytes in
      var current = bytes
      for key in path.dropLast() {
        guard let element = Self.find(key, in: current), element.type == .document || element.type == .array else {
          return nil
        }
        current = UnsafeRawBufferPointer(rebasing: current[element.value])
        guard RawElements.hasFrame(current) else { return nil }
      }
      return Self.find(last, in: current)?.decode(current)
    }
  }

  private static func find(_ key: String, in bytes: UnsafeRawBufferPointer) -> RawElement? {
    var key = key
    return key.withUTF8 { wanted in
      var elements = RawElements(bytes)
      while let element = elements.next() {
        if element.key.count == wanted.count,
          UnsafeRawBufferPointer(rebasing: bytes[element.key]).elementsEqual(wanted)
        {
          return element
        }
      }
      return nil
    }
  }
}
