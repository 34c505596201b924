import CRMCore
import Testing

@Suite struct TemplateParsingTests {
  @Test(arguments: [
    "plain", "", "}} and %} and { and } and {x}", "{{name}}", "{{  name\n}}", "{{ metadata.a.b-c.d_1.e5.f }}",
    "{{ name | first_name | upcase | default: 'x' }}", #"{{ name|default:"a }} b" }}"#, "{{ total_spend | number: 2 }}",
    "{{ total_spend | default: 0 | number: 0 }}", "{{ last_order_at | date: '%d.%m.%Y %H:%M 100%%' }}",
    "{{ metadata.x | number | default: -1.5 }}", "{% if tags %}a{% endif %}", "{%if name%}{%else%}{%endif%}",
    "{% if name %}{% if email %}x{% else %}y{% endif %}{% else %}z{% endif %}",
  ])
  func acceptsTheLanguage(source: String) throws {
    #expect(try MessageTemplate(parsing: source).source == source)
  }

  @Test(arguments: [
    ("{{", "{{ is never closed"), ("{{ name", "{{ is never closed"), ("{{ name }", #"unexpected "}""#),
    ("{{ }}", "a field is missing"), ("{{ nam }}", "unknown field nam"), ("{{ metadata }}", "unknown field metadata"),
    ("{{ metadata.1 }}", "unknown field metadata.1"),
    ("{{ metadata.a.b.c.d.e.f }}", "unknown field metadata.a.b.c.d.e.f"),
    ("{{ metadata..a }}", "unknown field metadata..a"), ("{{ Name }}", "unknown field Name"),
    ("{{ name.first }}", "unknown field name.first"), ("{{- name }}", "unknown field -"),
    ("{{ 'text' }}", "a field is missing"), ("{{ name email }}", #"unexpected "email""#),
    ("{{ name | }}", "a filter's name is missing"), ("{{ name | shout }}", "unknown filter shout"),
    ("{{ name | default }}", "default needs a value"),
    ("{{ name | default: }}", "after a colon comes a number or quoted text"),
    ("{{ name | default: email }}", "after a colon comes a number or quoted text"),
    ("{{ name | default: 'x }}", "this quote is never closed"), ("{{ name | upcase: 1 }}", "upcase takes no argument"),
    ("{{ visits | number: 'x' }}", "number takes a count of decimals from 0 to 6"),
    ("{{ visits | number: 7 }}", "number takes a count of decimals from 0 to 6"),
    ("{{ visits | number: 1.5 }}", "number takes a count of decimals from 0 to 6"),
    ("{{ created_at | date: 5 }}", "date takes a quoted pattern"),
    ("{{ created_at | date: '%q' }}", "date takes a quoted pattern"),
    ("{{ created_at | date: '%' }}", "date takes a quoted pattern"),
    ("{{ name | number }}", "this filter needs a number, which name is not here"),
    ("{{ visits | date }}", "this filter needs a date, which visits is not here"),
    ("{{ visits | upcase | number }}", "this filter needs a number, which visits is not here"),
    ("{{ last_order_at | default: 'never' | date }}", #"the default "never" is not a date"#),
    ("{{ name ! }}", #"unexpected "!""#), ("{{ name | default: \"a\" , 1 }}", #"unexpected ",""#),
    ("{% raw %}", "unknown tag raw"), ("{% %}", "a tag's name is missing"), ("{% if %}", "a field is missing"),
    ("{% if name", "{% is never closed"), ("{% if name %}x", "this if has no endif"),
    ("{% if name == 'x' %}{% endif %}", #"unexpected "=""#),
    ("{% if name and email %}{% endif %}", #"unexpected "and" after the field of an if"#),
    ("{% if unknown %}{% endif %}", "unknown field unknown"), ("{% else %}", "else without an if"),
    ("{% endif %}", "endif without an if"), ("{% if name %}{% else %}{% else %}{% endif %}", "a second else"),
    ("{% if name %}{% elsif email %}{% endif %}", "unknown tag elsif"),
    ("{% if name | upcase %}{% endif %}", "unexpected | after the field of an if"),
    ("{% for x in tags %}{% endfor %}", "unknown tag for"), ("{% assign x = 1 %}", "unknown tag assign"),
    ("{{{ name }}}", #"unexpected "{""#),
  ])
  func refusesEverythingElse(source: String, message: String) {
    let error = #expect(throws: TemplateError.self) { try MessageTemplate(parsing: source) }
    #expect(error?.message == message)
  }

  @Test func saysWhereInCharactersAndLines() {
    let error = #expect(throws: TemplateError.self) {
      try MessageTemplate(parsing: "Grüße 😀,\n\nhallo {{ metadata.city }} und {{ nme }}")
    }
    #expect(error?.line == 3)
    #expect(error?.column == 34)
    #expect(error?.description.hasPrefix("line 3, column 34: unknown field nme (known are name, email") == true)
    let unclosed = #expect(throws: TemplateError.self) { try MessageTemplate(parsing: "a {% if name %} b") }
    #expect(unclosed?.column == 3)
  }

  @Test func namesItsVariablesOnce() throws {
    let template = try MessageTemplate(
      parsing: "{{ name }}{% if metadata.vip %}{{ tags }}{{name|upcase}}{% else %}{{ metadata.a.b }}{% endif %}")
    #expect(template.variables == ["name", "metadata.vip", "tags", "metadata.a.b"])
  }

  @Test func limitsLengthAndNesting() throws {
    func nested(_ depth: Int) -> String {
      String(repeating: "{% if name %}", count: depth) + "x" + String(repeating: "{% endif %}", count: depth)
    }
    _ = try MessageTemplate(parsing: nested(10))
    #expect(throws: TemplateError.self) { try MessageTemplate(parsing: nested(11)) }
    _ = try MessageTemplate(parsing: String(repeating: "é", count: 5_000))
    #expect(throws: TemplateError.self) { try MessageTemplate(parsing: String(repeating: "é", count: 5_001)) }
  }

  @Test(arguments: [21, 22, 23] as [UInt64])
  func garbageNeverCrashes(seed: UInt64) {
    var random = CoreRandom(state: seed)
    let pieces = [
      "{{", "}}", "{%", "%}", "|", ":", "name", "metadata.x", "if", "else", "endif", " ", "\n", "default", "date", "'",
      "\"",
      "%Y", "é", "😀", "{", "}", "%", "2", ".", "-", "\u{0}", "number",
    ]
    var accepted = 0
    for _ in 0..<4_000 {
      let source = (0..<Int.random(in: 0..<14, using: &random)).map { _ in pieces.randomElement(using: &random)! }
        .joined()
      if let template = try? MessageTemplate(parsing: source) {
        accepted += 1
        _ = template.render(Fixture.lead())
      }
    }
    #expect(accepted > 0)
  }
}
