import BSON
import CRMCore
import Mongo

/// How the server answers a query, and what that took: the gist of its `explain`.
public struct QueryPlan: Sendable {
  public struct Index: Sendable, Equatable {
    public let name: String
    public let keys: BSONDocument
    /// The stretches of each key that are read, as the server writes them; of many, the first.
    public let bounds: [(key: String, intervals: [String])]

    public static func == (a: Index, b: Index) -> Bool { a.name == b.name && a.keys == b.keys }
  }

  /// The stages of the winning plan, the last one to run first.
  public let stages: [String]
  public let indexes: [Index]
  public let keysExamined: Int64
  public let documentsExamined: Int64
  /// Documents that were counted or returned.
  public let found: Int64
  public let milliseconds: Int64

  public var readsWholeCollection: Bool { stages.contains("COLLSCAN") }

  /// Intervals shown of one key: an `$in` of thousands has as many.
  private static let shownIntervals = 20
  /// Far deeper than the server nests plans.
  private static let deepest = 200

  /// - Parameter explanation: the server's answer to `explain` with `executionStats`, of `count`, `find`, or an `aggregate`
  ///   whose stages may have been moved into the query or follow it.
  init(explanation: BSONDocument) {
    let cursor = explanation["stages"]?.arrayValue?.first?["$cursor"]?.documentValue
    let query = cursor ?? explanation
    let statistics = query["executionStats"]?.documentValue ?? [:]
    keysExamined = statistics["totalKeysExamined"]?.int64Value ?? 0
    documentsExamined = statistics["totalDocsExamined"]?.int64Value ?? 0
    found =
      statistics["executionStages"]?["nCounted"]?.int64Value ?? statistics["nReturned"]?.int64Value ?? 0
    milliseconds = statistics["executionTimeMillis"]?.int64Value ?? 0
    let winning = query["queryPlanner"]?["winningPlan"]
    var stages: [String] = []
    var indexes: [Index] = []
    if let plan = winning?["queryPlan"] ?? winning {
      QueryPlan.walk(plan, depth: 0, &stages, &indexes)
    }
    if cursor != nil {
      let later = (explanation["stages"]?.arrayValue ?? []).dropFirst().compactMap { $0.documentValue?.keys.first }
      stages = later.reversed() + stages
    }
    self.stages = stages
    self.indexes = indexes
  }

  private static func walk(_ plan: BSONValue, depth: Int, _ stages: inout [String], _ indexes: inout [Index]) {
    guard depth < deepest, let stage = plan["stage"]?.stringValue else { return }
    stages.append(stage)
    if let name = plan["indexName"]?.stringValue {
      let index = Index(
        name: name, keys: plan["keyPattern"]?.documentValue ?? [:],
        bounds: bounds(plan["indexBounds"]?.documentValue ?? [:], stage: stage))
      if !indexes.contains(index) { indexes.append(index) }
    }
    if let input = plan["inputStage"] { walk(input, depth: depth + 1, &stages, &indexes) }
    for input in plan["inputStages"]?.arrayValue ?? [] { walk(input, depth: depth + 1, &stages, &indexes) }
  }

  private static func bounds(_ document: BSONDocument, stage: String) -> [(key: String, intervals: [String])] {
    if stage == "COUNT_SCAN", let start = document["startKey"]?.documentValue,
      let end = document["endKey"]?.documentValue
    {
      let opening = document["startKeyInclusive"]?.boolValue == false ? "(" : "["
      let closing = document["endKeyInclusive"]?.boolValue == false ? ")" : "]"
      return start.map { key, low in
        (key, ["\(opening)\(low.extendedJSON()), \((end[key] ?? .null).extendedJSON())\(closing)"])
      }
    }
    return document.map { key, value in
      let all = value.arrayValue ?? []
      let shown = all.prefix(shownIntervals).compactMap(\.stringValue)
      return (key, all.count > shown.count ? shown + ["and \(all.count - shown.count) more"] : shown)
    }
  }
}

extension MongoConnection {
  /// Counts once more, for the server to tell how it does that.
  func planOfCount(
    _ collection: String, _ filter: BSONDocument, timeoutMS: Int
  ) throws -> QueryPlan {
    QueryPlan(
      explanation: try command([
        "explain": ["count": .string(collection), "query": .document(filter)], "verbosity": "executionStats",
        "maxTimeMS": .int64(Int64(timeoutMS)),
      ]))
  }

  /// Runs an aggregation for the server to tell how it does that.
  func planOfAggregate(
    _ collection: String, _ pipeline: [BSONDocument], timeoutMS: Int
  ) throws -> QueryPlan {
    QueryPlan(
      explanation: try command([
        "explain": [
          "aggregate": .string(collection), "pipeline": .array(pipeline.map { .document($0) }), "cursor": [:],
          "allowDiskUse": true,
        ], "verbosity": "executionStats", "maxTimeMS": .int64(Int64(timeoutMS)),
      ]))
  }
}
