import BSON
import CRMCore
import CRMStore
import JSON

extension RuleReport {
  /// - Parameter explanation: the rule in words.
  func write(to writer: inout JSONWriter, explanation: String) {
    writer.beginObject()
    writer.field("count", count)
    writer.field("explanation", explanation)
    writer.key("rules")
    writer.beginArray()
    for part in parts { part.write(to: &writer) }
    writer.endArray()
    writer.field("rules_omitted", partsOmitted)
    writer.key("filter")
    writer.raw(filter.extendedJSON().utf8)
    writer.key("questions")
    writer.beginArray()
    for question in questions { question.write(to: &writer) }
    writer.endArray()
    writer.key("plan")
    plan.write(to: &writer)
    writer.field("stretches", stretches)
    writer.key("suggested_index")
    writeSuggestion(to: &writer)
    writer.field("advice", advice)
    writer.endObject()
  }

  private func writeSuggestion(to writer: inout JSONWriter) {
    guard !suggestedIndexes.isEmpty else { return writer.null() }
    writer.beginObject()
    writer.key("keys")
    writer.beginArray()
    for keys in suggestedIndexes { writer.raw(keys.extendedJSON().utf8) }
    writer.endArray()
    writer.key("commands")
    writer.beginArray()
    for keys in suggestedIndexes { writer.string("db.leads.createIndex(\(keys.extendedJSON()))") }
    writer.endArray()
    writer.endObject()
  }

  private var advice: String {
    let examined = max(plan.keysExamined, plan.documentsExamined)
    if suggestedIndexes.count > 1 {
      return
        "Alternatives without an index make the database look at \(examined) leads to find \(plan.found); it needs all of "
        + "the suggested indexes to look at fewer."
    }
    if !suggestedIndexes.isEmpty {
      return
        "The database looks at \(examined) leads to find \(plan.found). The suggested index would spare most of that; "
        + "each index costs a little whenever a lead is written."
    }
    if plan.readsWholeCollection {
      return
        "Every lead is read, because no index can serve this rule: add a condition that one can serve, or accept it "
        + "for a rule that is seldom asked."
    }
    return "The work is in proportion to what is found."
  }
}

extension RuleReport.Part {
  fileprivate func write(to writer: inout JSONWriter) {
    writer.beginObject()
    writer.field("path", path)
    writer.field("explanation", rule.explanation())
    writer.field("count", count.map { .int(Int64($0)) } ?? .null)
    writer.field("running_count", runningCount.map { .int(Int64($0)) } ?? .null)
    writer.endObject()
  }
}

extension RuleReport.Question {
  fileprivate func write(to writer: inout JSONWriter) {
    writer.beginObject()
    writer.field("path", path)
    writer.field("collection", collection)
    writer.key("pipeline")
    writer.beginArray()
    for stage in pipeline { writer.raw(stage.extendedJSON().utf8) }
    writer.endArray()
    writer.key("plan")
    plan.write(to: &writer)
    writer.endObject()
  }
}

extension QueryPlan {
  fileprivate func write(to writer: inout JSONWriter) {
    writer.beginObject()
    writer.field("stages", .array(stages.map { .string($0) }))
    writer.key("indexes")
    writer.beginArray()
    for index in indexes {
      writer.beginObject()
      writer.field("name", index.name)
      writer.key("keys")
      writer.raw(index.keys.extendedJSON().utf8)
      writer.key("bounds")
      writer.beginObject()
      for (key, intervals) in index.bounds { writer.field(key, .array(intervals.map { .string($0) })) }
      writer.endObject()
      writer.endObject()
    }
    writer.endArray()
    writer.field("keys_examined", keysExamined)
    writer.field("documents_examined", documentsExamined)
    writer.field("found", found)
    writer.field("milliseconds", milliseconds)
    writer.endObject()
  }
}
