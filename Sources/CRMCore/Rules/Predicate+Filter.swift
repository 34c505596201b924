import BSON

/// Predicates as MongoDB filters.
///
/// Negations become `$nor` and are never rewritten: `$not` and `$ne` within a range, or `<=` for "not `>`", would lose the
/// leads that have no such field.
extension Predicate {
  var filter: BSONDocument {
    switch self {
    case .test(let test): test.filter
    case .any(let predicates): Filters.any(predicates.map(\.filter))
    case .not(let predicate): Filters.not(predicate.filter)
    }
  }
}

enum Filters {
  static func all(_ filters: [BSONDocument]) -> BSONDocument { group("$and", filters) }
  static func any(_ filters: [BSONDocument]) -> BSONDocument { group("$or", filters) }

  /// The complement; that of a complement is the filter itself, for which the server can use an index.
  static func not(_ filter: BSONDocument) -> BSONDocument {
    if filter.count == 1, case .array(let parts) = filter["$nor"], parts.count == 1,
      case .document(let inner) = parts[0]
    {
      return inner
    }
    return ["$nor": [.document(filter)]]
  }

  private static func group(_ op: String, _ filters: [BSONDocument]) -> BSONDocument {
    if filters.count == 1 { return filters[0] }
    var group = BSONDocument()
    group.appendArray(op) { array in
      for filter in filters { array.append(document: filter) }
    }
    return group
  }
}

extension FieldTest {
  /// A path through an array is missing, where MongoDB would look into the array's objects.
  var filter: BSONDocument {
    if field.isWithinArray {
      return [
        field.path[0]: ["$elemMatch": .document(test.filter(field.path.dropFirst().joined(separator: "."), field))]
      ]
    }
    let filter = test.filter(field.path.joined(separator: "."), field)
    guard field.path.count > 1, field.mayPassArrays else { return filter }
    let objects = (1..<field.path.count).map { count -> BSONDocument in
      [field.path.prefix(count).joined(separator: "."): ValueTest.notAnArray]
    }
    return Filters.all(objects + [filter])
  }
}

extension ValueTest {
  fileprivate static let notAnArray: BSONValue = ["$not": ["$type": "array"]]

  fileprivate func filter(_ path: String, _ field: RuleField) -> BSONDocument {
    switch self {
    case .exists:
      // `null` also matches an array that holds one.
      return Filters.not([path: ["$eq": nil, "$not": ["$type": "array"]]])
    case .notEmpty:
      // `""` and `{}` also match arrays that hold them.
      let empty: BSONDocument = [path: ["$in": [nil, "", .document([:])], "$not": ["$type": "array"]]]
      return ["$nor": [.document(empty), [path: ["$size": 0]]]]
    case .equals(let value):
      return [path: ["$eq": value.bson]]
    case .oneOf(let values):
      return [path: ["$in": .array(values.map(\.bson))]]
    case .within(let bounds):
      guard field.mayBeArray, bounds.lower != nil, bounds.upper != nil else { return [path: bounds.bson] }
      // Without `$elemMatch`, [10, 50] would lie between 20 and 40; with it alone, 30 would not.
      var single = bounds.document
      single.append("$not", ["$type": "array"])
      return Filters.any([[path: ["$elemMatch": bounds.bson]], [path: .document(single)]])
    case .contains(let folded):
      return [path: ["$regex": .string(Self.escaped(folded.text)), "$options": "i"]]
    case .startsWith(let text):
      return [path: ["$regex": .string("^" + Self.escaped(text.string))]]
    case .endsWith(let text):
      // `$` would also match before a final newline.
      return [path: ["$regex": .string(Self.escaped(text.string) + #"\z"#)]]
    case .hasAll(let texts):
      return [path: ["$all": .array(texts.map { .string($0.string) })]]
    }
  }

  /// The text as a pattern that matches itself: PCRE takes a backslash before any ASCII sign for that sign.
  private static func escaped(_ text: String) -> String {
    var pattern = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "!"..."/", ":"..."@", "["..."^", "`", "{"..."~": pattern += "\\"
      default: break
      }
      pattern.unicodeScalars.append(scalar)
    }
    return pattern
  }
}

extension Bounds {
  fileprivate var document: BSONDocument {
    var document = BSONDocument()
    if let lower { document.append(lower.isIncluded ? "$gte" : "$gt", lower.value.bson) }
    if let upper { document.append(upper.isIncluded ? "$lte" : "$lt", upper.value.bson) }
    return document
  }

  fileprivate var bson: BSONValue { .document(document) }
}

extension Scalar {
  var bson: BSONValue {
    switch self {
    case .bool(let flag): .bool(flag)
    case .number(.int(let value)): .int64(value)
    case .number(.double(let value)): .double(value)
    case .text(let text): .string(text.string)
    case .date(let milliseconds): .date(milliseconds: milliseconds)
    }
  }
}
