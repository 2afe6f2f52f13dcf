import PabalTesting
import Testing

@testable import PabalCore

/// A dispatcher with one transport, for submitted mail and the reports about it.
struct ReportFixture {
  let transport: ScriptedTransport
  let fixture: DispatcherFixture

  init(
    _ options: DispatcherOptions = DispatcherOptions(), delay: Duration? = nil, language: String = "en",
    outbox: any Outbox = MemoryOutbox(), remoteHost: String? = nil, suppression: SuppressionList? = nil
  ) throws {
    transport = ScriptedTransport("smtp", remoteHost: remoteHost)
    var options = options
    options.reports.language = language
    options.reports.host = "mail.example.test"
    options.reports.from = try Address("pabal@example.test")
    options.reports.delay = delay
    fixture = DispatcherFixture([transport], options: options, outbox: outbox, suppression: suppression)
  }

  /// Adds a mail of alice@example.test as a submission does.
  func submit(
    to recipients: [String] = ["bob@example.org"], _ parameters: ReportParameters = .init(), id: String = "A",
    reporting: Reporting = .sender, sender: String = "alice@example.test",
    bytes: String = "Subject: =?utf-8?Q?caf=C3=A9?=\n\nhello\n",
    content: [UInt8]? = nil, life: Duration? = nil, unknown: UnknownPolicy = .resend, lane: Lane = .normal
  ) async throws {
    let mail = try Mail.sample(
      to: recipients, bytes: content ?? Array(bytes.replacing("\n", with: "\r\n").utf8), id: id)
    let now = fixture.clock.now
    let request = ReportRequest(sender: try Address(sender), parameters)
    try await fixture.outbox.add([
      OutboxEntry(
        id: id, lane: lane, created: now, notAfter: life.map { now + $0 }, unknown: unknown,
        ownedBy: "user:printer", reporting: reporting,
        content: PlainSealing().seal(
          OutboxContent(mail, report: reporting == .sender ? request : nil).bytes, id: id))
    ])
  }

  /// The reports that the transport has received.
  var reports: [Mail] { transport.received.filter { $0.envelope.sender == nil } }

  /// The reports as another program reads them.
  func parsedReports() async throws -> [ParsedReport] {
    try await ParsedReport.read(reports.map(\.bytes))
  }
}

/// A report as Python's email package reads it.
struct ParsedReport: Decodable {
  var type: String
  var reportType: String?
  var parts: [String]
  var headers: [String: String]
  var text: String
  var message: [String: String]
  var recipients: [[String: String]]
  var returned: String
  /// The returned part without its transfer encoding, byte for byte.
  var returnedBytes: [UInt8]
  var defects: [String]

  /// The first line of the text.
  var firstLine: String { text.split(separator: "\n").first.map(String.init) ?? "" }

  static func read(_ mails: [[UInt8]]) async throws -> [ParsedReport] {
    try await ExternalMailParser.python.run(script, over: mails)
  }

  private static let script = #"""
    cases = []
    for content in mails():
        mail = email.message_from_bytes(content, policy=email.policy.default.clone(utf8=True))
        defects = [str(d) for part in mail.walk() for d in part.defects]
        defects += [f"{k}: {d}" for k, v in mail.items() for d in getattr(v, "defects", ())]
        text, status, returned = mail.get_payload()
        blocks = status.get_payload()
        fields = lambda block: {k.lower(): str(v) for k, v in block.items()}
        # Python reads the blocks of a global status as one message whose body are the other blocks.
        if status.get_content_type() == "message/global-delivery-status":
            raw = content.split(b"global-delivery-status\r\n")[1].split(b"\r\n\r\n", 1)[1].split(b"\r\n--")[0]
            blocks = [email.message_from_bytes(block, policy=email.policy.default.clone(utf8=True))
                      for block in raw.split(b"\r\n\r\n")]
        last = content.split(b"\r\n--" + mail.get_boundary().encode())[3]
        head, raw = last.split(b"\r\n\r\n", 1)
        if b"quoted-printable" in head:
            import quopri
            raw = quopri.decodestring(raw)
        cases.append(dict(
            type=mail.get_content_type(), reportType=mail.get_param("report-type"),
            parts=[part.get_content_type() for part in mail.get_payload()],
            headers=fields(mail), text=text.get_content().replace("\r\n", "\n"), message=fields(blocks[0]),
            recipients=[fields(block) for block in blocks[1:]], returned=raw.decode("utf-8", "replace"),
            returnedBytes=list(raw),
            defects=defects))
    json.dump(cases, sys.stdout)
    """#
}
