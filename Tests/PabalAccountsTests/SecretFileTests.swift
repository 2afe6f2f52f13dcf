import Foundation
import PabalCore
import PabalFormats
import PabalTesting
import Testing

@testable import PabalAccounts

@Suite struct SecretFileTests {
  private func account(
    _ files: [String: String], entry: String = #""provider": "google", "client": "c.json", "token": "t.json""#
  )
    throws -> TestAccount
  {
    let folder = try TemporaryDirectory()
    for (name, text) in files { try TestAccount.write(text, to: name, in: folder) }
    return try TestAccount(entry, in: folder)
  }

  private let key = #"{"type": "service_account", "private_key": "-----BEGIN PRIVATE KEY-----"}"#
  private let token =
    #"{"token": "ya29.x", "refresh_token": "1//y", "client_id": "i", "client_secret": "s", "expiry": "2099-01-01T00:00:00Z"}"#

  @Test func `a token file that others can read is rejected with the command that fixes it`() throws {
    let test = try account(["t.json": token])
    let path = "\(test.folder.path)/t.json"
    try FileManager.default.setAttributes([.posixPermissions: 0o640], ofItemAtPath: path)
    let said = try test.problem().held
    #expect(said.contains("mode 640 lets other users read the secret"))
    #expect(said.contains("chmod 600 \(path)"))
    #expect(test.account.status().remedy == "chmod 600 \(path)")
    try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
    #expect(try test.account.accessToken(rejected: nil).text == "ya29.x")
  }

  @Test func `an OAuth client that others can read is rejected`() throws {
    let test = try account(["c.json": "{}"])
    try FileManager.default.setAttributes(
      [.posixPermissions: 0o644], ofItemAtPath: "\(test.folder.path)/c.json")
    #expect(TestLogin(test).failure.contains("chmod 600"))
  }

  @Test func `a pickle is rejected with instructions to convert it`() throws {
    let test = try account([:])
    let path = "\(test.folder.path)/t.json"
    let script = """
      import pickle, sys, os
      open(os.open(sys.argv[1], os.O_CREAT | os.O_WRONLY, 0o600), "wb").write(pickle.dumps({"token": "x"}))
      """
    _ = try ChildProcess.run("python3", ["-c", script, path])
    let said = try test.problem().held
    #expect(said.contains("is a Python pickle, which Pabal doesn't read"))
    #expect(said.contains("creds.to_json()"))
  }

  @Test(arguments: [
    ("t.json", #"{"type": "service_account"}"#, "google-service-account"),
    ("t.json", #"{"installed": {}}"#, "set \"client\" to the file"),
    ("t.json", #"{"type": "external_account"}"#, "has the type external_account"),
    ("t.json", #"{"secret-word: 1}"#, "isn't valid JSON"),
    ("t.json", "[1]", "contains a list"),
    ("t.json", "{}", "neither a token nor a refresh token"),
  ])
  func `a file that isn't a token file is reported`(name: String, text: String, error: String) throws {
    let test = try account([name: text])
    let said = try test.problem().held
    #expect(said.contains(error))
    #expect(!said.contains("secret-word"))
  }

  @Test(arguments: [
    (#"{"type": "service_account"}"#, "google-service-account"), ("{}", "create a desktop client"),
    (#"{"installed": {"client_id": "x"}}"#, "lacks \"client_id\", \"auth_uri\" or \"token_uri\""),
    (
      #"{"installed": {"client_id": "x", "auth_uri": "https://a/b", "token_uri": "http://example.com/t"}}"#,
      "unencrypted connection"
    ),
  ])
  func `a file that isn't an OAuth client is reported`(text: String, error: String) throws {
    #expect(TestLogin(try account(["c.json": text])).failure.contains(error))
  }

  @Test func `a login never overwrites a file that isn't a token file`() throws {
    let server = try AuthorizationServer()
    let test = try account(["c.json": server.clientFile(), "t.json": key])
    #expect(TestLogin(test).failure.contains("move the file away"))
    #expect(try test.file("t.json") == key)
  }

  @Test func `gcloud's own file is read and never written`() throws {
    let server = try AuthorizationServer()
    let login = try #require(
      try JSONSerialization.jsonObject(with: Data(server.googleToken(in: TemporaryDirectory()).utf8))
        as? [String: Any])
    let adc = """
      {"type": "authorized_user", "client_id": "\(AuthorizationServer.clientID)",
       "client_secret": "\(AuthorizationServer.clientSecret)", "refresh_token": "\(login["refresh_token"] ?? "")",
       "account": "", "universe_domain": "googleapis.com", "quota_project_id": "p"}
      """
    let test = try account(["c.json": server.clientFile(), "t.json": adc])
    let first = try test.account.accessToken(rejected: nil).text
    #expect(try test.account.accessToken(rejected: first).text != first)
    #expect(
      try server.requests("/token").map { $0["grant_type"] }.filter { $0 == "refresh_token" }.count == 2)
    #expect(try test.file("t.json") == adc)
    #expect(TestLogin(test).failure.contains("belongs to gcloud"))
  }

  @Test func `unknown members of a token file are kept`() throws {
    let server = try AuthorizationServer()
    let test = try TestAccount.loggedIn(to: server)
    let path = "\(test.folder.path)/tokens/a.json"
    let more = try test.file().replacing(
      "{\"token\"", with: #"{"rapt_token": "r", "x": [1.50, {"y": null}], "token""#)
    try TestAccount.write(more, to: "tokens/a.json", in: test.folder)
    test.time.advance(.seconds(3600))
    _ = try test.account.accessToken(rejected: nil)
    let read = try #require(
      try JSONSerialization.jsonObject(with: Data(contentsOf: URL(filePath: path))) as? [String: Any])
    #expect(read["rapt_token"] as? String == "r")
    #expect(read["universe_domain"] as? String == "googleapis.com")
    #expect(try test.file().contains("1.50"))
  }

  @Test(arguments: [
    ("2026-11-23T04:05:06Z", 0), ("2026-11-23T04:05:06.123456Z", 123), ("2026-11-23T04:05:06", 0),
    ("2026-11-23T04:05:06.9", 900), ("2026-11-23T04:05:06.123456789Z", 123), ("2026-11-23T13:05:06+09:00", 0),
    ("2026-11-22T23:05:06.5-05:00", 500),
  ])
  func `dates are read as google-auth and others write them`(text: String, milliseconds: Int64) throws {
    let time = try #require(Timestamp(text))
    #expect(time.milliseconds == 1_795_406_706_000 + milliseconds)
    #expect(time.description == "2026-11-23T04:05:06Z")
  }

  @Test func `dates agree with Python's over four centuries`() throws {
    let script = """
      import datetime, random
      random.seed(5)
      for _ in range(2000):
          t = random.randrange(-2208988800, 10413792000)
          print(t, (datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=t)).isoformat() + "Z")
      """
    let lines = try ChildProcess.run("python3", ["-c", script]).output.split(separator: "\n")
    #expect(lines.count == 2000)
    for line in lines {
      let parts = line.split(separator: " ")
      let seconds = try #require(Int64(parts[0]))
      #expect(Timestamp(milliseconds: seconds * 1000).description == parts[1])
      #expect(Timestamp(String(parts[1]))?.milliseconds == seconds * 1000)
    }
  }

  @Test(arguments: [
    "", "2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-11-23T04:05:06.Z", "2026-11-23", "x",
  ])
  func `an invalid date counts as expired`(text: String) { #expect(Timestamp(text) == nil) }

  @Test func `secrets are sent only over HTTPS or to this machine`() throws {
    for good in [
      "https://oauth2.googleapis.com/token", "http://127.0.0.1:8080/token", "http://localhost/t",
      "http://[::1]:1/t",
    ] {
      #expect((try? HTTPEndpoint(good)) != nil)
    }
    for bad in [
      "http://example.com/token", "ftp://127.0.0.1/", "https://user:pass@example.com/",
      "http://127.0.0.1.evil.com/",
      "https://", "token", "https://a b/", "http://localhost.evil.com/", "https://x/#f",
      "http://127.0.0.256/",
    ] { #expect((try? HTTPEndpoint(bad)) == nil) }
    #expect(
      try HTTPEndpoint("https://oauth2.googleapis.com/token").sibling("revoke")?.description
        == "https://oauth2.googleapis.com/revoke")
  }

  @Test func `forms are encoded and decoded as Python does`() throws {
    let fields = [("a", "4/0A b+c&d=é한%"), ("scope", "https://mail.google.com/ x")]
    let encoded = URLEncodedForm(fields).encoded
    let script = "import sys, urllib.parse; print(urllib.parse.parse_qsl(sys.argv[1]))"
    let read = try ChildProcess.run("python3", ["-c", script, encoded]).output
    #expect(read == "[('a', '4/0A b+c&d=é한%'), ('scope', 'https://mail.google.com/ x')]\n")
    let script2 = "import urllib.parse; print(urllib.parse.urlencode([('a', '4/0A b+c&d=é한%')]))"
    #expect(
      URLEncodedForm(query: try ChildProcess.run("python3", ["-c", script2]).output.dropLast())["a"]
        == "4/0A b+c&d=é한%"
    )
  }
}
