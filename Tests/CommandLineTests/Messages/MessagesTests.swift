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
    let whole = try site.pabal("messages", "render", "verification", "--language", "ko")
    #expect(
      whole.output.hasPrefix(
        "Subject: [Pabal] 인증번호 012345\nPreview: 10분 안에 입력해 주세요.\nContent-Language: ko\n\n"))
    #expect(
      try site.pabal("messages", "render", "verification", "--part", "preview", "--language", "ko").output
        == "10분 안에 입력해 주세요.\n")
    #expect(try render.json["preview"] as? String == "Enter it within 10 minutes.")
    let korean = try site.pabal("messages", "list", environment: ["LC_ALL": "ko_KR.UTF-8"])
    #expect(korean.output.contains("가입할 때 이메일 주소를 확인합니다"))
    let none = try site.pabal("messages", "render", "verificatoin")
    #expect(none.status == 65)
    #expect(none.errors.contains("did you mean \"verification\"?"))
  }
}
