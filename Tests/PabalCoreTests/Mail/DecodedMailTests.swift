import PabalCore
import Testing

@Suite struct DecodedMailTests {
  private func finished(_ subject: String, text: String?, html: String?) throws -> [UInt8] {
    try MailDraft(
      from: try Mailbox("파발 <pabal@example.com>"), to: [try Mailbox("김 하늘 <kim@example.com>")],
      subject: subject, text: text, html: html
    ).finish(identity: .now()).bytes
  }

  @Test(arguments: [
    "plain\n", "안녕하세요. 인증번호는 012345입니다.\n", "= 1 =3D\n\n  two\t\n.\nFrom here\n--\n", "a=\n",
    String(repeating: "길고 긴 줄 ", count: 100) + "\n", String(repeating: "é=", count: 50) + "\n", "\n",
  ])
  func `a composed mail is decoded in every encoding`(text: String) throws {
    let html = "<p title=\"\(text.count)\">\(text)</p>\n"
    let subject = "[파발] 인증번호 012345 " + String(repeating: "긴 제목 ", count: 20) + "끝"
    let both = try #require(DecodedMail(try finished(subject, text: text, html: html)))
    #expect(both.subject == subject)
    #expect(both.from == "파발 <pabal@example.com>")
    #expect(both.to == "김 하늘 <kim@example.com>")
    #expect(both.text == text && both.html == html)
    let alone = try #require(DecodedMail(try finished(subject, text: text, html: nil)))
    #expect(alone.text == text && alone.html == nil)
    let marked = try #require(DecodedMail(try finished(subject, text: nil, html: html)))
    #expect(marked.text == nil && marked.html == html)
  }

  @Test func `nested parts, quoted boundaries and attachments are understood`() throws {
    let mail = """
      From: a@b
      Cc: =?utf-8?B?6rmA?= <c@d>
      Content-Type: multipart/mixed;
       boundary="o;=b"

      --o;=b
      Content-Type: text/plain
      Content-Disposition: attachment; filename=x.txt

      attached
      --o;=b
      Content-Type: multipart/alternative; boundary=in

      --in
      Content-Type: text/plain; charset=ISO-8859-1
      Content-Transfer-Encoding: quoted-printable

      caf=E9
      --in
      Content-Type: text/html

      <p>
      --in--
      --o;=b--
      """
    let decoded = try #require(DecodedMail(Array(mail.utf8)))
    #expect(decoded.text == "café" && decoded.html == "<p>" && decoded.cc == "김 <c@d>")
  }

  @Test(arguments: [
    "", "no header", "Subject: x", "Content-Type: multipart/alternative; boundary=b\r\n\r\n--b",
    "Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\n--b--\r\n",
    "Content-Transfer-Encoding: base64\r\n\r\n!", "Content-Transfer-Encoding: quoted-printable\r\n\r\na=",
  ])
  func `a broken mail is decoded as far as possible`(mail: String) {
    let parts = DecodedMail(Array(mail.utf8))
    #expect(parts == nil || (parts?.text ?? "").count <= 1)
  }
}
