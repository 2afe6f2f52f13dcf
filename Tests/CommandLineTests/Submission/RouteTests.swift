import Foundation
import PabalTesting
import Testing

/// The routes of submitters and of senders' domains, by every way into the queue.
@Suite struct RouteTests {
  /// More transports that write to directories of their own names.
  private static func files(_ names: String...) -> String {
    names.map { #""\#($0)": { "plugin": "file", "directory": "\#($0)" }, "# }.joined()
  }

  private static func addresses(_ site: TestSite, in directory: String) -> [String] {
    site.mails(in: directory).compactMap { name in
      let text = try? String(contentsOfFile: "\(site.directory.path)/\(directory)/\(name)", encoding: .utf8)
      return text?.replacing("\r\n", with: "\n").firstMatch(of: /\nTo: (\S+)/).map { String($0.1) }
    }.sorted()
  }

  private static func sendmail(_ ways: [String], to recipient: String, from sender: String) throws -> Int32 {
    try ChildProcess.run(
      "\(BuiltProducts.directory)/pabal", ["sendmail"] + ways + ["-i", "-f", sender, recipient],
      input: Array("From: \(sender)\nTo: \(recipient)\n\ntext\n".utf8),
      environment: TestSite.cleanEnvironment
    ).status
  }

  @Test func `each submitter's mail leaves by its own transports, through every door`() throws {
    let site = try ListenerSite(
      """
      { "submission": [
        { "listen": "127.0.0.1:0", FILES, "client_ca": "ca.pem", "socket": "submit", "drop": "drop",
          "users": { "printer": { "password": "HASH", "route": "by-user" } },
          "certificates": { "scanner": { "fingerprint": "SHA-client", "route": ["by-certificate", "file"] } },
          "local": { "default": { "route": "by-local" } } },
        { "listen": "127.0.0.2:0", "security": "none",
          "networks": ["127.0.0.0/8", { "network": "127.0.0.7/24", "route": "by-network" }] } ] }
      """, listeners: 3,
      transports: Self.files("by-user", "by-certificate", "by-local", "by-network", "by-domain"),
      more: #", "routes": { "@b.example": "by-domain" }"#)
    let folder = site.site.directory.path
    try FileManager.default.createDirectory(atPath: "\(folder)/drop", withIntermediateDirectories: false)
    #expect(chmod("\(folder)/drop", 0o3733) == 0)
    let doors: [[String: Any]] = [
      ["port": site.ports[0], "user": "printer", "password": ListenerSite.password],
      ["port": site.ports[0], "certificate": "client"], ["host": "127.0.0.2", "port": site.ports[1]],
      ["path": "\(folder)/submit"],
    ]
    // The route of a submitter comes before that of a domain.
    let mails = doors.enumerated().map { index, door in
      [
        "door": door, "sender": "kim@b.example", "recipients": ["door\(index)@example.net"],
        "mail": "From: kim@b.example\r\nTo: door\(index)@example.net\r\n\r\ntext\r\n",
      ]
    }
    let run = try ChildProcess.run(
      "python3", ["\(BuiltProducts.root)/Tests/Servers/submission_rules.py"],
      input: Array(try JSONSerialization.data(withJSONObject: mails)), directory: folder)
    #expect(run.status == 0 && run.output.matches(of: /"DATA", 250/).count == 4, "\(run.output)\(run.errors)")
    for (index, ways) in [
      ["--socket", "\(folder)/submit", "--drop", "/none"], ["--socket", "/none", "--drop", "\(folder)/drop"],
      ["--socket", "/none", "--drop", "/none", "--config", "\(folder)/config.json"],
    ].enumerated() {
      #expect(try Self.sendmail(ways, to: "sendmail\(index)@example.net", from: "kim@b.example") == 0)
    }
    try eventually { Self.addresses(site.site, in: "by-local").count == 4 }
    #expect(Self.addresses(site.site, in: "by-user") == ["door0@example.net"])
    #expect(Self.addresses(site.site, in: "by-certificate") == ["door1@example.net"])
    try eventually { Self.addresses(site.site, in: "by-network") == ["door2@example.net"] }
    #expect(
      Self.addresses(site.site, in: "by-local")
        == ["door3@example.net"] + (0..<3).map { "sendmail\($0)@example.net" })
    #expect(site.site.mails.isEmpty && site.site.mails(in: "by-domain").isEmpty)
    let keys = try site.site.outbox().compactMap { $0["route"] as? String }
    #expect(
      keys.sorted() == ["certificate:scanner"] + Array(repeating: "local:default", count: 4)
        + ["network:127.0.0.0/24", "user:printer"])
    #expect(
      site.log.contains(
        #"routes="certificate:scanner domain:b.example local:default network:127.0.0.0/24 user:printer""#),
      "\(site.log)")
    #expect(try site.stop() == 0)
  }

  private static let draft =
    #"{"to": "draft@example.org", "message": "verification", "variables": {"code": "424242", "valid_for": "10m"}}"#

  private static let routed = #", "routes": { "@b.example": "second", "example.com": "third" }"#

  @Test
  func `mail of the API and of commands takes the route of its author's domain, with an outbox or without`()
    throws
  {
    let http = try HTTPTestSite(
      TestSite.shipped(
        with: #""serve": { "listen": "127.0.0.1:0", "keyless": true }"# + Self.routed
      ).replacing(#""console":"#, with: Self.files("second", "third") + #""console":"#))
    let site = http.site
    // Composed as pabal@example.com.
    #expect(try http.call("POST", "/v1/verifications", #"{"to": "code@example.org"}"#).status == 202)
    #expect(try http.call("POST", "/v1/mails", Self.draft).status == 202)
    let finished = try ChildProcess.run(
      "curl",
      [
        "-sS", "--fail", "-H", "Content-Type: message/rfc822", "--data-binary",
        "From: kim@b.example\r\nTo: finished@example.org\r\n\r\ntext\r\n",
        "http://127.0.0.1:\(http.port)/v1/mails?from=kim@b.example&to=finished@example.org",
      ])
    #expect(finished.status == 0, "\(finished.errors)")
    try eventually {
      Self.addresses(site, in: "third").count == 2 && Self.addresses(site, in: "second").count == 1
    }
    for (sender, names) in [("a@b.example", "second"), ("a@example.com", "third"), ("a@example.net", "mail")]
    {
      let count = site.mails(in: names).count
      let sent = try site.pabal(
        "send", "send@example.org", "--from", sender, "--subject", "x", "--text", "y", "--json")
      #expect(sent.status == 0, "\(sent.errors)")
      #expect(site.mails(in: names).count == count + 1, "\(sender)")
    }
    // What the command line names comes before all routes.
    let count = site.mails(in: "mail").count
    let named = try site.pabal(
      "send", "send@example.org", "--from", "a@b.example", "--subject", "x", "--text", "y", "--transport",
      "file")
    #expect(named.status == 0 && site.mails(in: "mail").count == count + 1, "\(named.errors)")
    try site.start()
    #expect(site.mails(in: "third").count == 4)
    #expect(try site.outbox().first?["route"] as? String == "domain:example.com")
    let log = try http.stop().log
    #expect(log.contains(#"route=file routes="domain:b.example domain:example.com""#), "\(log)")
  }

  @Test
  func `waiting mail takes an edited route, and without its route the standard one, which the log says once`()
    throws
  {
    let local = #""local": { "default": { "route": "broken" } }"#
    let http = try HTTPTestSite(
      TestSite.shipped(
        with:
          #""serve": { "listen": "127.0.0.1:0", "keyless": true, "submission": { "socket": "submit", "drop": "drop", \#(local) } }"#
      ).replacing(
        #""console":"#,
        with:
          #""broken": { "plugin": "smtp", "host": "127.0.0.1", "port": 1, "security": "none" }, "console":"#))
    let site = http.site
    let ways = ["--socket", "\(site.directory.path)/submit", "--drop", "/none"]
    // Five failures pause the transport.
    for number in 0..<6 {
      #expect(try Self.sendmail(ways, to: "you\(number)@example.net", from: "kim@example.com") == 0)
    }
    // Other mail isn't delayed.
    #expect(try http.call("POST", "/v1/mails", Self.draft).status == 202)
    try eventually { site.mails.count == 1 }
    try eventually {
      try site.outbox().count { $0["outcome"] as? String == "deferred" } >= 5
    }
    try eventually {
      try site.outbox().count {
        $0["route"] as? String == "local:default"
          && $0["waits_for"] as? String == "transport broken is paused"
      } == 6
    }
    let readiness = try http.call("GET", "/readyz")
    #expect(readiness.status == 200 && readiness["status"] == "degraded", "\(readiness.body)")
    #expect(readiness.body.contains(#""broken":"paused"#), "\(readiness.body)")
    let shown = try site.pabal("outbox", "list").output
    #expect(shown.matches(of: /route local:default/).count == 6, "\(shown)")
    try site.edit(local, #""local": { "default": { "lane": "bulk" } }"#)
    try eventually { site.mails.count == 7 }
    let log = try http.stop().log
    #expect(log.matches(of: /route missing mail=\S+ route=local:default/).count == 1, "\(log)")
  }

  @Test func `the transports that serve is started with replace those of all routes`() throws {
    let http = try HTTPTestSite(
      TestSite.shipped(
        with: #""serve": { "listen": "127.0.0.1:0", "keyless": true }"# + Self.routed
      ).replacing(#""console":"#, with: Self.files("second", "third") + #""console":"#),
      arguments: ["--transport", "file"])
    #expect(try http.call("POST", "/v1/mails", Self.draft).status == 202)
    try eventually { http.site.mails.count == 1 }
    let log = try http.stop().log
    #expect(!log.contains("route missing") && log.contains("transport=file outcome=sent"), "\(log)")
  }

  @Test func `check lists the routes, and their mistakes with the nearest name`() throws {
    func site(_ routes: String, _ local: String) throws -> TestSite {
      try TestSite(
        TestSite.shipped(
          with:
            #""routes": { "@b.example": \#(routes) }, "serve": { "submission": { "socket": "submit", "drop": "drop", "local": { "www-data": { "route": \#(local) } } } }"#
        ).replacing(#""console":"#, with: Self.files("second") + #""console":"#))
    }
    let right = try site(#"["second", "file"]"#, #""second""#)
    let output = try right.pabal("check").output
    #expect(output.contains("ok  route domain:b.example: second, file\n"), "\(output)")
    #expect(output.contains("ok  route local:www-data: second\n"), "\(output)")
    let list = try right.pabal("transports").output
    #expect(list.contains("second (plugin file, for domain:b.example, local:www-data)"), "\(list)")
    let wrong = try site(#""secnd""#, "[]").pabal("check")
    #expect(wrong.status == 78)
    #expect(
      wrong.errors.contains("routes.'@b.example': unknown transport 'secnd'; did you mean 'second'?"),
      "\(wrong.errors)")
    #expect(wrong.errors.contains("serve.submission.local.www-data.route: empty list"), "\(wrong.errors)")
  }

  @Test func `check names the submitters that may use other senders than the transport of their route`()
    throws
  {
    func warnings(_ standard: String, _ routes: String, _ local: String) throws -> [String] {
      let site = try TestSite(
        """
        {
          "transport": "\(standard)", "routes": \(routes),
          "transports": { "file": { "plugin": "file", "directory": "mail" },
            "office": { "plugin": "gmail", "account": "me", "endpoint": "http://127.0.0.1:1" } },
          "accounts": { "me": { "provider": "token", "user": "me@example.com", "token": "secret-token" } },
          "from": "me@example.com",
          "serve": { "submission": { "socket": "submit", "local": \(local) } }
        }
        """)
      return try site.pabal("check").output.split(separator: "\n").map(String.init).filter {
        $0.contains("may use other senders")
      }
    }
    let everyone = #"{ "default": { "senders": ["other@example.net"] } }"#
    #expect(try warnings("file", "{}", everyone) == [])
    #expect(try warnings("office", "{}", everyone).count == 1)
    #expect(try warnings("office", #"{ "example.net": "file" }"#, everyone) == [])
    #expect(try warnings("file", #"{ "example.net": "office" }"#, everyone).count == 1)
    #expect(try warnings("file", #"{ "example.org": "office" }"#, everyone) == [])
    let own = #"{ "web": { "route": "office" }, "default": { "route": "file" } }"#
    let found = try warnings("file", "{}", own)
    #expect(found.count == 1 && found.first?.contains("local user web may use") == true, "\(found)")
    let safe =
      #"{ "web": { "route": "office", "forcedSender": "me@example.com" }, "default": { "route": "file" } }"#
    #expect(try warnings("office", "{}", safe) == [])
  }
}
