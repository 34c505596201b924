import JSON

/// A segment as a client sends it. The rule is only known to be an object: the rule language's decoder checks the rest.
public struct SegmentInput: Sendable, Equatable {
  public var name: String
  public var rule: JSONValue
  public var timezone: String?
  public var ownerUserID: String?

  /// Code points of a name.
  public static let nameLength = 1...200

  public init(name: String, rule: JSONValue, timezone: String? = nil, ownerUserID: String? = nil) {
    self.name = name
    self.rule = rule
    self.timezone = timezone
    self.ownerUserID = ownerUserID
  }

  /// Checks and normalises, reporting every bad field below `path`.
  public static func decode(_ json: JSONValue, path: String = "") -> Result<SegmentInput, ValidationError> {
    var reader = ObjectReader(json, path: path)
    let name = reader.string("name", required: true, length: nameLength)
    let rule = reader.value("rule_ast", required: true)
    if let rule, rule.objectValue == nil {
      reader.reject("rule_ast", ObjectReader.wrongType(rule, expected: "an object"))
    }
    let timezone = reader.parsed("timezone", knownZone)
    let owner = reader.string("owner_user_id", length: 1...200)
    return reader.result {
      guard let name, let rule else { return nil }
      return SegmentInput(name: name, rule: rule, timezone: timezone, ownerUserID: owner)
    }
  }

  private static func knownZone(_ name: String) -> Result<String, FieldProblem> {
    if CalendarZone(identifier: name) != nil { return .success(name) }
    return .failure(FieldProblem("invalid_timezone", "must be a time zone of the tz database, such as Europe/Berlin"))
  }
}
