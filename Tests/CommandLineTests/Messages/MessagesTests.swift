import PabalTesting
import Testing

/// `pabal messages list` and `render`.
@Suite struct MessagesTests {
  @Test func `messages are listed, and rendered with their example values`() throws {
    let site = try TestSite()
    let list = try site.pabal("messages", "list")
    #expect(list.status == 0)
    #expect(list.output.contains("verification (en, ko)"))
    let render = try site.pabal("messages", "render", "verification", "--language", "en", "--json")
    #expect(try render.json["language"] as? String == "en")
    let part = try site.pabal(
      "messages", "render", "verification", "--part", "subject", "--set", "code=000000")
    #expect(part.output.contains("000000"))
    let none = try site.pabal("messages", "render", "verificatoin")
    #expect(none.status == 65)
    #expect(none.errors.contains("did you mean \"verification\"?"))
  }
}
