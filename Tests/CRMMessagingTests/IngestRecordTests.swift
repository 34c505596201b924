import BSON
import CRMMessaging
import JSON
import Testing

@Suite struct IngestRecordTests {
  private static let job = ObjectID()
  private static let lead: JSONValue = ["name": "Ann", "emails": [" Ann@X.com "], "total_spend": 5.0, "visits": 5]

  @Test func aRecordComesBackAsItWasWritten() throws {
    for kind in IngestRecord.Kind.allCases {
      let record = IngestRecord(kind: kind, jobID: Self.job, row: 7, content: Self.lead)
      #expect(try IngestRecord.decode(record.encoded(), kind: kind) == record)
    }
  }

  @Test func rowsAboutOneLeadOrOrderHaveOneKey() {
    func key(_ kind: IngestRecord.Kind, _ content: JSONValue) -> String {
      IngestRecord(kind: kind, jobID: Self.job, row: 1, content: content).key
    }
    #expect(key(.lead, Self.lead) == "ann@x.com")
    #expect(key(.lead, ["emails": ["ann@x.com", "b@x.com"]]) == "ann@x.com")
    #expect(key(.order, ["order_no": " A-1 "]) == "A-1")
    #expect(key(.lead, ["emails": [" "]]) == Self.job.hex)
    #expect(key(.lead, "no object") == Self.job.hex)
  }

  @Test(arguments: [
    "", "[]", #"{"job_id":"x","row":1,"lead":{}}"#, #"{"job_id":"0123456789abcdef01234567","row":0,"lead":{}}"#,
    #"{"job_id":"0123456789abcdef01234567","row":1}"#,
    #"{"job_id":"0123456789abcdef01234567","row":1,"order":{}}"#,
    #"{"job_id":"0123456789abcdef01234567","row":1,"lead":{},"more":1}"#,
  ])
  func unreadableRecordsSayWhatIsWrong(text: String) {
    #expect(throws: PoisonError.self) { try IngestRecord.decode(Array(text.utf8), kind: .lead) }
    #expect(throws: PoisonError.self) { try IngestRecord.decode(nil, kind: .lead) }
  }
}
