import Testing

@testable import PabalCore

/// Texts in the syntax of shells, Compose files and Windows, which people expect to be expanded.
@Suite struct PlaceholderTests {
  @Test(arguments: [
    ("$SMTP_PASSWORD", Placeholder.variable("SMTP_PASSWORD")),
    ("${SMTP_PASSWORD}", .variable("SMTP_PASSWORD")),
    ("${SMTP_HOST:-localhost}", .variable("SMTP_HOST")), ("$host", .variable("host")),
    ("%APPDATA%", .variable("APPDATA")), ("$(pass show smtp)", .command), ("smtp.${DOMAIN}", .part),
    ("Shop ${ENV} <a@example.com>", .part),
  ])
  func `variables and commands are found`(text: String, expected: Placeholder) {
    #expect(Placeholder(text) == expected)
  }

  @Test(arguments: [
    "", "$", "$$", "$5", "100%", "50%off%", "%20", "a$b", "cost: $5", "${}", "${a b}", "$Recycle.Bin",
    "pa$$word",
    "user$", "%%",
  ])
  func `ordinary texts with these characters stay`(text: String) {
    #expect(Placeholder(text) == nil)
  }

  @Test(arguments: ["$ecret", "$Ab1", "$XY9", "x${y}z", "%a%", "$P4$$W0RD", "pa$SWORD"])
  func `a password may begin with a dollar`(password: String) {
    #expect(Placeholder(password, isSecret: true) == nil)
  }

  @Test(arguments: ["$SMTP_PASSWORD", "${smtp_password}", "$(cat file)", "%SMTP_PASSWORD%"])
  func `a variable is not taken for a password`(text: String) {
    #expect(Placeholder(text, isSecret: true) != nil)
  }

  @Test(arguments: [
    ("$HOME/mail", "$HOME"), ("/srv/${USER}/mail", "${USER}"), ("%USERPROFILE%/mail", "%USERPROFILE%"),
    ("~", "~"), ("~/mail", "~"), ("~kim/mail", "~kim"), ("./$HOME", "$HOME"), ("/a/b$c/${x}y", "${x}y"),
  ])
  func `a directory that would have to be expanded is found`(path: String, expected: String) {
    #expect(Placeholder.directory(in: path) == expected)
  }

  @Test(arguments: ["/srv/mail", "mail", "./~kim", "a/~b", "file~", "$5/a", "/a$/b", "~a.b/c"])
  func `an ordinary path stays`(path: String) { #expect(Placeholder.directory(in: path) == nil) }

  @Test func `config.json shows the form that works`() {
    func errors(_ more: String, from: String = #""a@example.com""#) -> [String] {
      ConfigurationTests.errors(from: from, more: more)
    }
    #expect(
      errors("", from: #""${MAIL_FROM}""#) == [
        "3:9: error: from: a variable, which isn't expanded here; write {\"env\": \"MAIL_FROM\"}"
      ])
    #expect(
      errors(",\n\"storage\": {\"path\": \"$HOME/pabal.sqlite\"}") == [
        "4:21: error: storage.path: '$HOME' is not expanded; write the whole path, or a path relative to this file"
      ])
    #expect(
      errors(",\n\"serve\": {\"listen\": \"${LISTEN}\"}") == [
        "4:21: error: serve.listen: a variable, which isn't expanded here; write the text itself"
      ])
    #expect(errors(",\n\"serve\": {\"alert\": [\"sh\", \"-c\", \"echo $HOME ${X}\"]}") == [])
  }
}
