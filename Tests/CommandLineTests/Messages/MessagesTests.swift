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

  @Test func `rendering reports errors in the language of the terminal, and a language that isn't there`()
    throws
  {
    let site = try TestSite()
    func render(_ option: String, _ value: String, language: String = "ko_KR.UTF-8") throws -> ChildProcess {
      try site.pabal(
        "messages", "render", "verification", "--part", "subject", option, value,
        environment: ["LC_ALL": language])
    }
    let unknown = try site.pabal("messages", "render", "verificatoin", environment: ["LC_ALL": "ko_KR.UTF-8"])
    #expect(unknown.status == 65)
    #expect(unknown.errors == "pabal: 오류: \"verificatoin\"이라는 메일이 없습니다. \"verification\"을(를) 쓰려던 것인가요?\n")
    #expect(
      try render("--set", "code=12").errors
        == "pabal: 오류: \"verification\" 메일의 변수 \"code\"에 맞지 않는 값입니다. 인증번호가 아닙니다. 공백 없이 숫자 4–12자리를 쓰세요\n")
    #expect(
      try render("--set", "servcie=x").errors
        == "pabal: 오류: \"verification\" 메일에는 \"servcie\" 변수가 없습니다. \"service\"을(를) 쓰려던 것인가요?\n")
    #expect(try render("--language", "fr").errors == "(fr 버전이 없어서 ko 버전을 보여 드립니다)\n")
    #expect(
      try render("--language", "fr", language: "C.UTF-8").errors == "(not available in fr; this is ko)\n")
    for language in ["ko", "ko-KR", "ko_KR", "fr,ko;q=0.5"] {
      #expect(try render("--language", language).errors.isEmpty, "\(language)")
    }
  }
}
