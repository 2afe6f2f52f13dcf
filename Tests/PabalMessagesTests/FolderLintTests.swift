import Testing

@testable import PabalMessages

/// What lint says of a message's files together: its declaration, its languages and its parts by hand.
@Suite struct MessageFolderTests {
  @Test func `the code must stand in both parts`() {
    var fixture = MessageFixture("가", variables: [("code", "code", "123456")])
    #expect(
      fixture.findings.filter { $0.contains("error") } == [
        "test/ko.md:3:1: error: the mail does not show {{code}}, so its reader has no code to enter; put `{{code}}` on a line of its own, with a blank line before and after"
      ])
    fixture = MessageFixture("`{{code}}`", variables: [("code", "code", "123456")])
    fixture.files["ko.txt"] = "가"
    #expect(
      fixture.findings == [
        "test/ko.txt:1:1: error: the text does not show {{code}}, so its reader has no code to enter; put `{{code}}` on a line of its own, with a blank line before and after"
      ])
    fixture.files["ko.txt"] = nil
    fixture.files["ko.html"] = "<p>가</p>"
    #expect(
      fixture.findings == [
        "test/ko.html:1:1: error: the HTML does not show {{code}}, so its reader has no code to enter; put `{{code}}` on a line of its own, with a blank line before and after"
      ])
  }

  @Test func `an error in one file hides none in another`() {
    var fixture = MessageFixture("{{nme}}", variables: [("code", "code", "123456"), ("name", "text", "x")])
    fixture.files["en.md"] = "Subject: {{nme}}\n\n`{{code}}`\n"
    let files = fixture.findings.filter { $0.contains("does not show") || $0.contains("nme") }
    #expect(
      files.map { $0.prefix { $0 != " " } } == ["test/en.md:1:10:", "test/ko.md:3:1:", "test/ko.md:3:1:"])
  }

  @Test func `a misspelt code is told once, not as a code that is missing, too`() {
    let fixture = MessageFixture("`{{cdoe}}`", variables: [("code", "code", "123456")])
    #expect(
      fixture.findings == [
        "test/ko.md:3:2: error: {{cdoe}} is not declared in message.json; did you mean {{code}}?"
      ])
  }

  @Test(arguments: [
    #"{ "variables": { "service": { "for": "x", "kind": "text" "example": "y" } } }"#,
    #"{ "variables": { "service": { "for": "x", "kind": "txt", "example": "y" } } }"#,
    #"{ "variables": { "service": { "for": "x", "kind": "url", "example": "y" } } }"#,
  ])
  func `a declaration that can't be read is one error, not one wherever its variable stands`(json: String) {
    var fixture = MessageFixture("{{service}} [x]({{service}}) {{service}}")
    fixture.json = json
    #expect(fixture.findings.count == 1)
    #expect(fixture.findings.first?.hasPrefix("test/message.json:1:") == true)
  }

  @Test(arguments: [("kr", "Korean", "ko"), ("kor", "Korean", "ko"), ("jp", "Japanese", "ja")])
  func `a country's code is no language's`(written: String, language: String, tag: String) {
    var fixture = MessageFixture("{{service}}")
    fixture.files["\(written).md"] = "Subject: x\n\n{{service}}\n"
    #expect(
      fixture.findings == [
        "test/\(written).md: warning: \(written) is not how \(language) is written here; name it \(tag).md"
      ])
  }

  @Test func `a part by hand shows what the Markdown shows`() {
    var fixture = MessageFixture("{{service}}")
    fixture.files["ko.txt"] = "가"
    #expect(
      fixture.findings == [
        "test/ko.txt:1:1: warning: {{service}} is missing here and stands in ko.md; put it in, so that both tell the same"
      ])
  }

  @Test func `an unused variable is told`() {
    var fixture = MessageFixture("가")
    fixture.json =
      "{\n \"variables\": {\n  \"a\": {\"for\": \"x\", \"kind\": \"text\", \"example\": \"y\"}}}"
    #expect(
      fixture.findings == [
        "test/message.json:3:3: warning: variables.a: no language uses {{a}}; use it, or take it out of message.json"
      ])
  }

  @Test func `the default language must be there, and the Markdown beside every part by hand`() {
    var fixture = MessageFixture("가 {{service}}")
    fixture.files["en.txt"] = "가 {{service}}"
    fixture.language = "fr"
    #expect(
      fixture.findings == [
        "test: error: there is no fr.md, and fr is the language of last resort; write it, or change messages.language in config.json",
        "test/en.txt: error: stands without en.md; write that file too: the subject comes from it",
      ])
  }
}
