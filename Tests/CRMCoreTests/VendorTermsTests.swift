import CRMCore
import Testing

@Suite struct VendorTermsTests {
  private func problem(_ text: String) -> String {
    do throws(VendorTerms.Malformed) {
      _ = try VendorTerms(parsing: text)
      return ""
    } catch {
      return error.description
    }
  }

  @Test func anEntryWithoutParametersHasTheDefaults() throws {
    let terms = try VendorTerms(parsing: "main=https://vendor.example/api")
    #expect(terms == VendorTerms(name: "main", url: "https://vendor.example/api"))
    #expect(terms.keys == .honoured(.seconds(86_400)) && terms.canBeAsked && terms.channels == Channel.allCases)
  }

  @Test func everyParameterIsRead() throws {
    let text =
      "b-2=http://h:1?keys=true&key_lifetime_s=60&ask=false&channels=sms|email&rate=600&concurrency=7&live=true"
    #expect(
      try VendorTerms(parsing: text)
        == VendorTerms(
          name: "b-2", url: "http://h:1", keys: .honoured(.seconds(60)), canBeAsked: false, channels: [.sms, .email],
          perMinute: 600, concurrency: 7, isLive: true))
    #expect(try VendorTerms(parsing: "b=http://h?keys=false&key_lifetime_s=60").keys == .none)
  }

  @Test(arguments: [
    ("http://h", "name"), ("=http://h", "name"), ("A=http://h", "name"), ("none=http://h", "name"),
    ("a=ftp://h", "http://"), ("a=http://", "http://"), ("a=http://h?keys", "no value"),
    ("a=http://h?keys=maybe", "true or false"), ("a=http://h?rate=-1", "0–10000000"),
    ("a=http://h?channels=pigeon", "pigeon"), ("a=http://h?colour=red", "colour"),
  ])
  func whatCannotBeReadIsNamed(text: String, part: String) {
    #expect(problem(text).contains(part), "\(problem(text))")
  }

  @Test func aLiveVendorHasLimitsThoughNobodyHasSetAny() {
    var terms = VendorTerms(name: "a", url: "http://h", isLive: true)
    #expect(terms.perMinute(on: .whatsapp, general: 0) == 30)
    #expect(terms.perMinute(on: .sms, general: 0) == 0)
    #expect(terms.perMinute(on: .whatsapp, general: 90) == 90)
    #expect(terms.concurrency(general: 128) == 5)
    #expect(terms.concurrency(general: 2) == 2)
    terms.perMinute = 0
    terms.concurrency = 50
    #expect(terms.perMinute(on: .whatsapp, general: 90) == 0)
    #expect(terms.concurrency(general: 128) == 50)
    terms = VendorTerms(name: "a", url: "http://h")
    #expect(terms.perMinute(on: .whatsapp, general: 0) == 0)
    #expect(terms.concurrency(general: 128) == 128)
  }
}
