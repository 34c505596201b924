import CRMCore

/// What the columns of a file are about, from its header line and what the request says of it.
struct LeadHeader: Sendable {
  /// Errors named at most.
  private static let errorLimit = 100

  /// One for each column of the file; nil: it is left out.
  let columns: [LeadColumn?]

  /// - Parameters:
  ///   - names: the header line.
  ///   - mappings: `Column:field`; a column may have colons in its own name.
  ///   - ignored: columns to leave out.
  /// - Throws: `ValidationError` with everything that is wrong.
  init(_ names: [String], mappings: [String], ignored: [String]) throws(ValidationError) {
    var errors: [FieldError] = []
    var mapped: [String: LeadColumn] = [:]
    for mapping in mappings {
      guard let (name, column) = LeadHeader.read(mapping, names) else {
        errors.append(LeadHeader.badMapping(mapping, names))
        continue
      }
      if mapped.updateValue(column, forKey: name) != nil {
        errors.append(FieldError(field: "map", code: "duplicate", message: "maps the column \(name) twice"))
      }
    }
    let left = Set(ignored)
    for name in left.sorted() where !names.contains(name) {
      errors.append(LeadHeader.absent("ignore", name, names))
    }
    for name in left.sorted() where mapped[name] != nil {
      errors.append(FieldError(field: "ignore", code: "exclusive", message: "leaves out \(name), which map names"))
    }
    var columns: [LeadColumn?] = []
    for name in names {
      let column = left.contains(name) ? nil : mapped[name] ?? LeadColumn(fieldName: name)
      columns.append(column)
      if column == nil, !left.contains(name) { errors.append(LeadHeader.unknown(name)) }
    }
    errors += LeadHeader.repetitions(names, columns)
    for needed in [LeadColumn.name, .emails] where !columns.contains(needed) {
      let message = "no column is about it, and no row is a lead without it; map=Column:\(needed.fieldName) names one"
      errors.append(FieldError(field: needed.fieldName, code: "missing_column", message: message))
    }
    if let error = ValidationError(Array(errors.prefix(LeadHeader.errorLimit))) { throw error }
    self.columns = columns
  }

  /// The column of the file and what it is about.
  private static func read(_ mapping: String, _ names: [String]) -> (name: String, column: LeadColumn)? {
    for index in mapping.indices where mapping[index] == ":" {
      let name = String(mapping[..<index])
      let field = String(mapping[mapping.index(after: index)...])
      if names.contains(name), let column = LeadColumn(fieldName: field) { return (name, column) }
    }
    return nil
  }

  private static func badMapping(_ mapping: String, _ names: [String]) -> FieldError {
    guard let colon = mapping.firstIndex(of: ":") else {
      return FieldError(field: "map", code: "invalid_mapping", message: "must be Column:field")
    }
    let (name, field) = (String(mapping[..<colon]), mapping[mapping.index(after: colon)...])
    if !names.contains(where: { mapping.hasPrefix("\($0):") }) { return absent("map", name, names) }
    let message = "\(short(field)) is not a known field; known are \(LeadColumn.knownNames)"
    return FieldError(field: "map", code: "unknown_column", message: message)
  }

  private static func absent(_ parameter: String, _ name: String, _ names: [String]) -> FieldError {
    let present = names.prefix(50).map(short).joined(separator: ", ")
    return FieldError(
      field: parameter, code: "no_such_column", message: "the file has no column \(short(name)); it has \(present)")
  }

  private static func unknown(_ name: String) -> FieldError {
    FieldError(
      field: name.isEmpty ? "header" : short(name), code: "unknown_column",
      message: "is not a known column; known are \(LeadColumn.knownNames); map=Column:field says which one it is, "
        + "ignore=Column leaves it out")
  }

  /// Several columns may give elements to one list; anything else has one place.
  private static func repetitions(_ names: [String], _ columns: [LeadColumn?]) -> [FieldError] {
    var first: [LeadColumn: String] = [:]
    var errors: [FieldError] = []
    for (name, column) in zip(names, columns) {
      guard let column, !column.isList, !column.isPassedOver else { continue }
      if let other = first[column] {
        let message = "is about \(column.fieldName), as the column \(short(other)) is"
        errors.append(FieldError(field: short(name), code: "duplicate_column", message: message))
      } else {
        first[column] = name
      }
    }
    return errors
  }

  private static func short(_ text: some StringProtocol) -> String {
    String(String.UnicodeScalarView(text.unicodeScalars.prefix(100)))
  }
}
