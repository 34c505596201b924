import BSON
import JSON

/// What may stand in a lead's `metadata`: strings, numbers, booleans, arrays of these, and objects, five keys deep.
public enum Metadata {
  public static let deepestKey = 5
  public static let mostKeys = 100
  public static let longestString = 1_024
  public static let mostElements = 1_000
  /// Of the metadata as BSON. A lead then always fits into a document and into a record, whatever was merged into it.
  public static let mostBytes = 131_072

  /// The value to store, or every error with its path.
  ///
  /// - Parameter path: of the metadata within the body; asked for only when something is wrong.
  public static func decode(
    _ json: JSONValue, path: @autoclosure () -> String
  ) -> Result<BSONDocument, ValidationError> {
    guard case .object(let object) = json else {
      return .failure(ValidationError(FieldError(field: path(), ObjectReader.wrongType(json, expected: "an object"))))
    }
    var decoder = MetadataDecoder()
    let document = decoder.document(object, path: path, depth: 1)
    if decoder.keys > mostKeys {
      decoder.errors.append(FieldError(field: path(), code: "too_many", message: "must have at most \(mostKeys) keys"))
    }
    if document.bytes.count > mostBytes {
      decoder.errors.append(FieldError(field: path(), code: "too_large", message: sizeProblem))
    }
    if let error = ValidationError(decoder.errors) { return .failure(error) }
    return .success(document)
  }

  /// Merged metadata may be no more than metadata that is given at once. What was stored beyond that may stay, or shrink.
  static func checkGrowth(from old: BSONDocument, to new: BSONDocument) throws(ValidationError) {
    if new.bytes.count > max(mostBytes, old.bytes.count) {
      throw ValidationError(field: "metadata", code: "too_large", message: sizeProblem)
    }
    let keys = keys(in: new)
    if keys > mostKeys, keys > Self.keys(in: old) {
      throw ValidationError(field: "metadata", code: "too_many", message: "must have at most \(mostKeys) keys")
    }
  }

  private static var sizeProblem: String { "must have at most \(mostBytes) bytes" }

  private static func keys(in document: BSONDocument) -> Int {
    document.reduce(0) { $0 + 1 + ($1.value.documentValue.map(keys) ?? 0) }
  }

  /// Whether a key may be used: 1 to 64 of `A`–`Z`, `a`–`z`, `0`–`9`, `_`, `-`, and not digits only, since MongoDB would
  /// read those as an array's index.
  public static func isKey(_ key: Substring.UTF8View) -> Bool {
    guard (1...64).contains(key.count) else { return false }
    var onlyDigits = true
    for byte in key {
      switch byte {
      case UInt8(ascii: "0")...UInt8(ascii: "9"): continue
      case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "_"),
        UInt8(ascii: "-"):
        onlyDigits = false
      default: return false
      }
    }
    return !onlyDigits
  }
}

private struct MetadataDecoder {
  private static let mostErrors = 100

  var errors: [FieldError] = []
  var keys = 0

  mutating func document(_ object: JSONObject, path: () -> String, depth: Int) -> BSONDocument {
    // Strings of a few words; more room is made where it is needed.
    var document = BSONDocument(capacity: 16 + 32 * min(object.count, Metadata.mostKeys))
    for (key, value) in object.entries {
      keys += 1
      // Enough is known by then; a body of a million bad keys or elements must not become a million errors.
      guard keys <= Metadata.mostKeys, errors.count < Self.mostErrors else { break }
      guard Metadata.isKey(key[...].utf8) else {
        errors.append(
          FieldError(
            field: "\(path()).\(key.prefix(100))", code: "invalid_key",
            message: "must have 1 to 64 of A-Z a-z 0-9 _ - as its name, and not digits only"))
        continue
      }
      guard depth <= Metadata.deepestKey else {
        errors.append(
          FieldError(
            field: "\(path()).\(key)", code: "too_deep", message: "is nested deeper than \(Metadata.deepestKey) keys"))
        continue
      }
      if case .object(let nested) = value {
        document.append(key, document: self.document(nested, path: { "\(path()).\(key)" }, depth: depth + 1))
      } else if case .array(let elements) = value {
        document.append(key, array: array(elements, path: { "\(path()).\(key)" }))
      } else if let scalar = scalar(
        value, path: { "\(path()).\(key)" }, expected: "a string, number, boolean, array or object")
      {
        document.append(key, scalar)
      }
    }
    return document
  }

  private mutating func array(_ elements: [JSONValue], path: () -> String) -> [BSONValue] {
    guard elements.count <= Metadata.mostElements else {
      errors.append(
        FieldError(field: path(), code: "too_many", message: "must have at most \(Metadata.mostElements) elements"))
      return []
    }
    var scalars: [BSONValue] = []
    scalars.reserveCapacity(elements.count)
    for (index, element) in elements.enumerated() {
      guard errors.count < Self.mostErrors else { break }
      let found = scalar(element, path: { "\(path())[\(index)]" }, expected: "a string, number or boolean")
      if let found { scalars.append(found) }
    }
    return scalars
  }

  private mutating func scalar(_ value: JSONValue, path: () -> String, expected: String) -> BSONValue? {
    switch value {
    case .string(let text):
      guard text.utf8.count <= Metadata.longestString else {
        errors.append(
          FieldError(field: path(), code: "too_long", message: "must have at most \(Metadata.longestString) bytes"))
        return nil
      }
      return .string(text)
    case .int, .double, .bool:
      return BSONValue(json: value)
    case .null, .array, .object:
      errors.append(FieldError(field: path(), ObjectReader.wrongType(value, expected: expected)))
      return nil
    }
  }
}
