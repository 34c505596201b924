import BSON
import CRMCore
import CivilTime
import JSON
import Testing

/// What each operator says of a lead; that the database says the same is `RulesAgreement`'s part.
@Suite struct RulesEvaluationTests {
  @Test func negationsHoldForMissingFields() throws {
    for (op, value) in [("!=", "x"), ("NOT_IN", ["x"]), ("NOT_CONTAINS", "x")] as [(String, JSONValue)] {
      #expect(try matches(condition("name", op, value), [:]), "\(op)")
      #expect(try matches(condition("name", op, value), ["name": nil]), "\(op)")
      #expect(try matches(condition("metadata.city", op, value), ["metadata": [:]]), "\(op)")
      #expect(try !matches(condition("name", op, value), ["name": "x"]), "\(op)")
    }
    #expect(try matches(condition("tags", "HAS_NONE", ["x"]), [:]))
  }

  @Test func comparisonsNeverHoldForMissingFieldsAndTheirNegationsAlwaysDo() throws {
    for op in [">", "<", ">=", "<="] {
      #expect(try !matches(condition("visits", op, 0), [:]))
      #expect(try matches(group("NOT", condition("visits", op, 0)), [:]))
    }
    #expect(try !matches(condition("visits", "BETWEEN", [0, 9]), ["visits": nil]))
  }

  @Test func equalityIsOfTypeAndValue() throws {
    #expect(try matches(condition("visits", "=", 5), ["visits": 5.0]))
    #expect(try matches(condition("visits", "=", 5.0), ["visits": .int32(5)]))
    #expect(try !matches(condition("metadata.x", "=", 5), ["metadata": ["x": "5"]]))
    #expect(try !matches(condition("metadata.x", "=", "5"), ["metadata": ["x": 5]]))
    #expect(try !matches(condition("metadata.x", "=", 1), ["metadata": ["x": true]]))
    #expect(try !matches(condition("metadata.x", "=", true), ["metadata": ["x": 1]]))
    #expect(try !matches(condition("metadata.x", "IN", [1, "a"]), ["metadata": ["x": true]]))
  }

  @Test func numbersBeyondTwoToThe53rdKeepTheirValue() throws {
    let lead: BSONDocument = ["visits": 9_007_199_254_740_993]
    #expect(try matches(condition("visits", ">", 9_007_199_254_740_992.0), lead))
    #expect(try !matches(condition("visits", "=", 9_007_199_254_740_992.0), lead))
    #expect(try !matches(condition("visits", "IN", [9_007_199_254_740_992, 9_007_199_254_740_994]), lead))
    #expect(try matches(condition("visits", "<", 9_223_372_036_854_775_808.0), ["visits": .int64(.max)]))
    #expect(try !matches(condition("visits", ">=", 9_223_372_036_854_775_808.0), ["visits": .int64(.max)]))
    #expect(try matches(condition("visits", "=", -9_223_372_036_854_775_808.0), ["visits": .int64(.min)]))
    #expect(try matches(condition("visits", "<", .int(.min)), ["visits": -1e300]))
  }

  @Test func textIsComparedByItsBytes() throws {
    #expect(try !matches(condition("name", "=", "caf\u{E9}"), ["name": "cafe\u{301}"]))
    #expect(try !matches(condition("name", "IN", ["caf\u{E9}"]), ["name": "cafe\u{301}"]))
    #expect(try !matches(condition("name", "STARTS_WITH", "cafe"), ["name": "caf\u{E9}"]))
    #expect(try matches(condition("name", "STARTS_WITH", "cafe"), ["name": "cafe\u{301}"]))
    #expect(try !matches(condition("name", "STARTS_WITH", "Caf"), ["name": "cafe"]))
    #expect(try matches(condition("metadata.x", ">", "z"), ["metadata": ["x": "\u{E9}"]]))
    #expect(try matches(condition("metadata.x", "<", "\u{1F600}"), ["metadata": ["x": "\u{FF41}"]]), "not by UTF-16")
    #expect(try matches(condition("metadata.x", ">", "2026-01-01"), ["metadata": ["x": "2026-01-01T00:00"]]))
  }

  @Test(arguments: [
    ("\u{E9}", "\u{C9}", true), ("\u{E9}", "e\u{301}", false), ("\u{DF}", "ss", false), ("\u{DF}", "\u{1E9E}", true),
    ("k", "\u{212A}", true), ("S", "\u{17F}", true), ("\u{3C3}", "\u{3C2}", true), ("i", "\u{130}", false),
    ("\u{1C6}", "\u{1C5}", true), ("\u{10428}", "\u{10400}", true), ("PUNE", "in pune", true), ("une", "PUNE", true),
    (".", "x", false), ("a.b", "A.B", true), ("^", "x", false), ("$", "x", false), ("\\", "a\\b", true),
    ("(a|b)", "a", false), ("\n", "x\ny", true), ("xy", "x", false),
  ])
  func containsFoldsCaseAsTheServerDoesAndIsNoPattern(needle: String, text: String, expected: Bool) throws {
    #expect(try matches(condition("name", "CONTAINS", .string(needle)), ["name": .string(text)]) == expected)
  }

  @Test func endsMeanTheVeryEnd() throws {
    #expect(try !matches(condition("name", "ENDS_WITH", "x"), ["name": "x\n"]))
    #expect(try matches(condition("name", "ENDS_WITH", "x"), ["name": "x"]))
    #expect(try !matches(condition("name", "ENDS_WITH", "x"), ["name": "X"]))
  }

  @Test func oneElementOfAnArraySufficesAndHasToFulfilTheWholeCondition() throws {
    let lead: BSONDocument = [
      "emails": ["ann@a.com", "bob@b.org"], "metadata": ["scores": [10, 50], "words": ["b", 3]],
    ]
    #expect(try matches(condition("emails", "ENDS_WITH", ".org"), lead))
    #expect(try !matches(condition("emails", "NOT_CONTAINS", "BOB"), lead))
    #expect(try !matches(condition("metadata.scores", "BETWEEN", [20, 40]), lead))
    #expect(try matches(condition("metadata.scores", "BETWEEN", [40, 60]), lead))
    #expect(try matches(condition("metadata.scores", "=", 50), lead))
    #expect(try !matches(condition("metadata.scores", "!=", 50), lead))
    #expect(try matches(condition("metadata.words", "<", 4), lead))
    #expect(try matches(condition("metadata.words", ">", "a"), lead))
  }

  @Test func tagsAreComparedWhole() throws {
    let lead: BSONDocument = ["tags": ["vipX", "new"]]
    #expect(try !matches(condition("tags", "CONTAINS", "vip"), lead))
    #expect(try !matches(condition("tags", "CONTAINS", "NEW"), lead))
    #expect(try matches(condition("tags", "CONTAINS", "new"), lead))
    #expect(try matches(condition("tags", "HAS_ANY", ["vip", "new"]), lead))
    #expect(try !matches(condition("tags", "HAS_ALL", ["vip", "new"]), lead))
    #expect(try matches(condition("tags", "HAS_ALL", ["vipX", "new"]), lead))
    #expect(try !matches(condition("tags", "HAS_NONE", ["new"]), lead))
  }

  @Test func orderOnMetadataNeverCrossesTypes() throws {
    #expect(try !matches(condition("metadata.x", ">", 5), ["metadata": ["x": "9"]]))
    #expect(try !matches(condition("metadata.x", "<", "a"), ["metadata": ["x": 9]]))
    #expect(try !matches(condition("metadata.x", ">", 0), ["metadata": ["x": true]]))
    #expect(try !matches(condition("metadata.x", ">", ""), ["metadata": ["x": ["y": 1]]]))
  }

  @Test(
    arguments: [
      (nil, false, true), (.null, false, true), ("", true, true), ([], true, true), (.document([:]), true, true),
      ("x", true, false), (0, true, false), (false, true, false), ([nil], true, false), ([""], true, false),
      (.array([.array([])]), true, false), (["a": nil], true, false),
    ] as [(BSONValue?, Bool, Bool)])
  func whatExistsAndWhatIsEmpty(value: BSONValue?, exists: Bool, isEmpty: Bool) throws {
    var metadata = BSONDocument()
    if let value { metadata.append("x", value) }
    let lead: BSONDocument = ["metadata": .document(metadata)]
    #expect(try matches(condition("metadata.x", "EXISTS", true), lead) == exists)
    #expect(try matches(condition("metadata.x", "EXISTS", false), lead) == !exists)
    #expect(try matches(condition("metadata.x", "IS_EMPTY", true), lead) == isEmpty)
    #expect(try matches(condition("metadata.x", "IS_EMPTY", false), lead) == !isEmpty)
    #expect(try matches(condition("metadata.x", "=", nil), lead) == !exists)
    #expect(try matches(condition("metadata.x", "!=", nil), lead) == exists)
  }

  @Test func aPathThroughAnArrayIsMissing() throws {
    let lead: BSONDocument = ["metadata": ["list": [["x": 5]]]]
    #expect(try !matches(condition("metadata.list.x", "=", 5), lead))
    #expect(try matches(condition("metadata.list.x", "!=", 5), lead))
    #expect(try matches(condition("metadata.list.x", "EXISTS", false), lead))
    #expect(try !matches(condition("metadata.x", "=", 5), ["metadata": [["x": 5]]]))
  }

  @Test func groupsCombine() throws {
    let yes = condition("visits", "=", 1)
    let no = condition("visits", "=", 2)
    let lead: BSONDocument = ["visits": 1]
    #expect(try matches(group("AND", yes, yes), lead))
    #expect(try !matches(group("AND", yes, no), lead))
    #expect(try matches(group("OR", no, yes), lead))
    #expect(try !matches(group("OR", no, no), lead))
    #expect(try matches(group("NOT", group("AND", yes, no)), lead))
  }

  @Test func aNewLeadHasSpentLessThanTen() throws {
    #expect(try matches(condition("total_spend", "<", 10), ["total_spend": 0.0]))
  }
}
