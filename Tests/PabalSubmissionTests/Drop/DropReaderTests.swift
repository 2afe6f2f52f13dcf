import Foundation
import PabalCore
import PabalTesting
import Synchronization
import Testing

@testable import PabalSubmission

/// A drop directory with a reader, and what reached the queue.
private final class DropFixture: Sendable {
  let directory: TemporaryDirectory
  let mails = Mutex<[(id: String, submission: SMTPSubmission)]>([])
  let events = Mutex<[DropReader.Event]>([])
  let answer = Mutex<SMTPReply?>(nil)
  /// The submitter whose limit is reached.
  let limited = Mutex<Submitter?>(nil)
  let seconds = Mutex(0)
  // Among many tests at once, minutes may pass between two rounds.
  private let start = Timestamp.now()
  private let state = Mutex(DropReader.State())

  init(mode: mode_t = 0o3733, in parent: String? = nil) throws {
    directory = try parent.map { try TemporaryDirectory(in: $0) } ?? TemporaryDirectory()
    #expect(mkdir(path, 0o700) == 0 && chmod(path, mode) == 0)
  }

  var path: String { "\(directory.path)/drop" }

  static let ids = ["01M5PWP165041061050R3GG28A", "01M5PWP165041061050R3GG28B", "01M5PWP165041061050R3GG28C"]

  static let limitReached = SMTPReply(450, "4.7.1", "limit reached")

  static func batch(
    _ recipients: [String] = ["you@example.com"], content: String = "Subject: hi\r\n\r\ntext\r\n"
  )
    -> String
  {
    "EHLO host\r\nMAIL FROM:<me@example.com>\r\n" + recipients.map { "RCPT TO:<\($0)>\r\n" }.joined()
      + "BDAT \(content.utf8.count) LAST\r\n\(content)"
  }

  @discardableResult
  func write(_ text: String, as name: String = ids[0], mode: mode_t = DropDirectory.completeMode) throws
    -> String
  {
    let file = "\(path)/\(name)"
    try Data(text.utf8).write(to: URL(filePath: file))
    #expect(chmod(file, mode) == 0)
    return file
  }

  /// The entries, except for the file of limits.
  var names: [String] {
    get throws {
      try FileManager.default.contentsOfDirectory(atPath: path).filter { $0 != PublishedLimits.name }.sorted()
    }
  }

  func round() async {
    var state = self.state.withLock { $0 }
    await DropReader(
      path, policy: { SMTPSessionPolicy() },
      now: { [self] in start + .seconds(seconds.withLock { $0 }) },
      submit: { [self] submission, id in
        if let reply = answer.withLock({ $0 }) { return .refused(reply) }
        if submission.submitter == limited.withLock({ $0 }) { return .refused(DropFixture.limitReached) }
        mails.withLock { $0.append((id, submission)) }
        return .queued(id: id)
      }, report: { [self] event in events.withLock { $0.append(event) } }
    ).round(&state)
    self.state.withLock { [state] in $0 = state }
  }

  var received: [(id: String, submission: SMTPSubmission)] { mails.withLock { $0 } }
  var reported: [DropReader.Event] { events.withLock { $0 } }
}

@Suite struct DropReaderTests {
  @Test func `a complete file is queued under its name, as its owner, and removed`() async throws {
    let fixture = try DropFixture()
    try fixture.write(DropFixture.batch(["a@example.com", "b@example.com"]))
    await fixture.round()
    let mail = try #require(fixture.received.first)
    #expect(fixture.received.count == 1)
    #expect(mail.id == DropFixture.ids[0])
    #expect(mail.submission.sender?.description == "me@example.com")
    #expect(mail.submission.recipients.map(\.description) == ["a@example.com", "b@example.com"])
    #expect(mail.submission.bytes == Array("Subject: hi\r\n\r\ntext\r\n".utf8))
    #expect(mail.submission.submitter == .local(LocalPeer(uid: getuid()).name))
    #expect(try fixture.names == [])
    #expect(
      fixture.reported == [
        .queued(id: mail.id, submitter: mail.submission.submitter, recipients: 2, bytes: 21)
      ])
  }

  @Test func `commands that are refused for now are refused for good, and stop no other mail`() async throws {
    let fixture = try DropFixture()
    let many = (0...SMTPSessionPolicy().maxRecipients).map { "r\($0)@example.com" }
    try fixture.write(DropFixture.batch(many), as: DropFixture.ids[0])
    try fixture.write(
      "EHLO host\r\n" + String(repeating: "NOOP\r\n", count: 2_000), as: DropFixture.ids[1])
    try fixture.write(DropFixture.batch(), as: DropFixture.ids[2])
    await fixture.round()
    #expect(fixture.received.map(\.id) == [DropFixture.ids[2]])
    #expect(try fixture.names == [DropDirectory.refusedName])
    let refused = fixture.reported.compactMap { event in
      if case .refused(let id, _, let reply) = event { (id, reply.code) } else { nil }
    }
    #expect(refused.map(\.0) == Array(DropFixture.ids[..<2]) && refused.allSatisfy { $0.1 == 554 })
  }

  @Test func `mail is found after the clock was set back`() async throws {
    let fixture = try DropFixture()
    await fixture.round()
    fixture.seconds.withLock { $0 = 36_000 }
    try fixture.write(DropFixture.batch(), as: DropFixture.ids[0])
    await fixture.round()
    try fixture.write(DropFixture.batch(), as: DropFixture.ids[1])
    await fixture.round()
    #expect(fixture.received.map(\.id) == Array(DropFixture.ids[..<2]))
  }

  @Test func `files are queued in the order of their ids`() async throws {
    let fixture = try DropFixture()
    for id in DropFixture.ids.reversed() { try fixture.write(DropFixture.batch(), as: id) }
    await fixture.round()
    #expect(fixture.reported.map(\.id) == DropFixture.ids)
    #expect(try fixture.names == [])
  }

  @Test func `an incomplete file is left, read once it is complete, and reported after an hour`() async throws
  {
    let fixture = try DropFixture()
    let file = try fixture.write(DropFixture.batch(), mode: 0o640)
    try fixture.write(DropFixture.batch(), as: DropFixture.ids[1], mode: 0o640)
    await fixture.round()
    #expect(fixture.received.isEmpty && fixture.reported.isEmpty)
    #expect(chmod(file, DropDirectory.completeMode) == 0)
    await fixture.round()
    #expect(fixture.received.map(\.id) == [DropFixture.ids[0]])
    fixture.seconds.withLock { $0 = 3_700 }
    for _ in 0..<3 { await fixture.round() }
    let problems = fixture.reported.compactMap(\.problem)
    #expect(problems.count == 1 && problems[0].contains("isn't complete"))
    #expect(try fixture.names == [DropFixture.ids[1]])
  }

  @Test
  func
    `links, pipes, devices, directories and foreign names are neither read nor removed, and reported once`()
    async throws
  {
    let fixture = try DropFixture()
    let (ids, path) = (DropFixture.ids, fixture.path)
    let secret = try fixture.directory.write(DropFixture.batch(), to: "secret")
    #expect(chmod(secret, DropDirectory.completeMode) == 0)
    #expect(symlink(secret, "\(path)/\(ids[0])") == 0)
    #expect(link(secret, "\(path)/\(ids[1])") == 0)
    #expect(mkfifo("\(path)/\(ids[2])", 0o440) == 0)
    #expect(mkdir("\(path)/01M5PWP165041061050R3GG28D", 0o440) == 0)
    #expect(symlink("/dev/zero", "\(path)/01M5PWP165041061050R3GG28E") == 0)
    // Only root can make a device; that of /dev/zero has the numbers 1 and 5.
    let device = mknod("\(path)/01M5PWP165041061050R3GG28F", S_IFCHR | 0o440, 1 << 8 | 5) == 0
    #expect(device || geteuid() != 0)
    #expect(mknod("\(path)/01M5PWP165041061050R3GG28G", S_IFSOCK | 0o440, 0) == 0)
    try fixture.write(DropFixture.batch(), as: "other")
    try fixture.write(DropFixture.batch(), as: "01M5PWP165041061050R3GG28a")
    try fixture.write(DropFixture.batch(), as: "01M5PWP165041061050R3GG28Z")
    for _ in 0..<3 { await fixture.round() }
    #expect(fixture.received.map(\.id) == ["01M5PWP165041061050R3GG28Z"])
    let count = device ? 9 : 8
    #expect(fixture.reported.compactMap(\.problem).count == count)
    #expect(try fixture.names.count == count)
  }

  @Test(arguments: [
    "", "EHLO host", "EHLO host\r\n", "not SMTP\r\nat all\r\n",
    "EHLO host\r\nMAIL FROM:<me@example.com>\r\nBDAT 2 LAST\r\nhi",
    "EHLO host\r\nMAIL FROM:<me@example.com>\r\nRCPT TO:<you@example.com>\r\nBDAT 20 LAST\r\nhi\r\n",
    "EHLO host\r\nMAIL FROM:<me@example.com>\r\nRCPT TO:<you@example.com>\r\n",
    DropFixture.batch(["a@example.com", "not an address"]),
    DropFixture.batch(content: "Subject: hi\n\nbare\n"),
    DropFixture.batch() + DropFixture.batch(), DropFixture.batch() + "\r\n", "\u{0}\u{1}\u{2}",
  ]) func `a malformed file is moved aside as a whole and doesn't stop others`(_ text: String) async throws {
    let fixture = try DropFixture()
    try fixture.write(text)
    try fixture.write(DropFixture.batch(), as: DropFixture.ids[1])
    for _ in 0..<2 { await fixture.round() }
    #expect(fixture.received.map(\.id) == [DropFixture.ids[1]])
    #expect(fixture.reported.count == 2)
    #expect(try fixture.names == ["refused"])
    let refused = "\(fixture.path)/refused"
    #expect(try FileManager.default.contentsOfDirectory(atPath: refused) == [DropFixture.ids[0]])
  }

  @Test func `a file that is too large is moved aside without being read`() async throws {
    let fixture = try DropFixture()
    let file = try fixture.write("", mode: 0o640)
    #expect(truncate(file, 1 << 30) == 0 && chmod(file, DropDirectory.completeMode) == 0)
    await fixture.round()
    #expect(fixture.reported.count == 1)
    #expect(try fixture.names == ["refused"])
  }

  @Test(
    .enabled("needs a tmpfs, which keeps what other file systems don't") { access("/dev/shm", W_OK) == 0 })
  func `times and sizes beyond all measure stop nothing`() async throws {
    let fixture = try DropFixture(in: "/dev/shm")
    let early = try fixture.write("", as: DropFixture.ids[0], mode: 0o640)
    var times = [timespec(tv_sec: .min, tv_nsec: 0), timespec(tv_sec: .max, tv_nsec: 999_999_999)]
    #expect(utimensat(AT_FDCWD, early, &times, 0) == 0)
    try fixture.write(DropFixture.batch(), as: DropFixture.ids[1])
    let sparse = try fixture.write("", as: DropFixture.ids[2], mode: 0o640)
    #expect(truncate(sparse, .max) == 0 && chmod(sparse, DropDirectory.completeMode) == 0)
    for _ in 0..<2 { await fixture.round() }
    #expect(fixture.received.map(\.id) == [DropFixture.ids[1]])
    #expect(try fixture.names == [DropFixture.ids[0], "refused"])
  }

  @Test func `files that aren't complete take the places of no mail, however many they are`() async throws {
    let fixture = try DropFixture()
    for number in 10_000..<15_000 {
      try fixture.write("", as: "000000000000000000000\(number)", mode: 0o640)
    }
    try fixture.write(DropFixture.batch())
    await fixture.round()
    #expect(fixture.received.map(\.id) == [DropFixture.ids[0]])
  }

  @Test func `the limits are published for writers, and again when they change`() async throws {
    let fixture = try DropFixture()
    let file = "\(fixture.path)/limits"
    try Data("a stranger's".utf8).write(to: URL(filePath: "\(fixture.path)/limits.new"))
    await fixture.round()
    #expect(PublishedLimits.published(in: fixture.path) == PublishedLimits())
    var status = stat()
    #expect(stat(file, &status) == 0 && status.st_mode & 0o7777 == 0o644)
    for text in [
      "", "size 1\n", "size 0\nrecipients 1\n", "size x\nrecipients 1\n",
      String(repeating: "x", count: 1_000),
    ] {
      try Data(text.utf8).write(to: URL(filePath: file))
      #expect(PublishedLimits.published(in: fixture.path) == nil, "\(text)")
    }
    #expect(unlink(file) == 0 && symlink("/etc/passwd", file) == 0)
    #expect(PublishedLimits.published(in: fixture.path) == nil)
    #expect(fixture.reported.isEmpty)
  }

  @Test func `a directory named refused of another kind keeps refused files in place, reported once`()
    async throws
  {
    let fixture = try DropFixture()
    let elsewhere = try TemporaryDirectory()
    #expect(symlink(elsewhere.path, "\(fixture.path)/refused") == 0)
    try fixture.write("garbage\r\n")
    for _ in 0..<3 { await fixture.round() }
    #expect(try FileManager.default.contentsOfDirectory(atPath: elsewhere.path) == [])
    #expect(fixture.reported.compactMap(\.problem).count == 1)
    #expect(try fixture.names.contains(DropFixture.ids[0]))
  }

  @Test func `mail that can't be queued now is left, reported once and tried again`() async throws {
    let fixture = try DropFixture()
    for id in DropFixture.ids { try fixture.write(DropFixture.batch(), as: id) }
    fixture.answer.withLock { $0 = SMTPReply(452, "4.3.1", "disk full") }
    for _ in 0..<3 { await fixture.round() }
    #expect(
      fixture.reported == [.delayed(id: DropFixture.ids[0], reply: SMTPReply(452, "4.3.1", "disk full"))])
    #expect(try fixture.names == DropFixture.ids)
    fixture.answer.withLock { $0 = nil }
    await fixture.round()
    #expect(fixture.received.map(\.id).sorted() == DropFixture.ids)
    #expect(try fixture.names == [])
  }

  @Test(.enabled(if: getuid() == 0, "only root can give a file to another user"))
  func `mail of a user whose limit is reached waits without delaying that of others`() async throws {
    let fixture = try DropFixture()
    fixture.limited.withLock { $0 = .local("12345") }
    for id in DropFixture.ids.prefix(2) {
      let file = try fixture.write(DropFixture.batch(), as: id)
      #expect(chown(file, 12_345, gid_t.max) == 0 && chmod(file, 0o440) == 0)
    }
    try fixture.write(DropFixture.batch(), as: DropFixture.ids[2])
    for _ in 0..<3 { await fixture.round() }
    #expect(fixture.received.map(\.id) == [DropFixture.ids[2]])
    #expect(try fixture.names == Array(DropFixture.ids.prefix(2)))
    #expect(fixture.reported.count { if case .delayed = $0 { true } else { false } } == 1)
    // It is tried again after a while, not in each round.
    fixture.limited.withLock { $0 = nil }
    await fixture.round()
    #expect(fixture.received.count == 1)
    fixture.seconds.withLock { $0 = 31 }
    await fixture.round()
    #expect(fixture.received.count == 3)
    #expect(try fixture.names == [])
  }

  @Test func `a directory in which users could remove each other's mail isn't used`() async throws {
    let fixture = try DropFixture(mode: 0o777)
    try fixture.write(DropFixture.batch())
    for _ in 0..<2 { await fixture.round() }
    #expect(fixture.received.isEmpty)
    #expect(fixture.reported.count == 1)
    #expect(try fixture.names == [DropFixture.ids[0]])
    #expect(chmod(fixture.path, 0o3733) == 0)
    await fixture.round()
    #expect(fixture.received.count == 1)
  }

  @Test func `a missing directory is read once it exists`() async throws {
    let fixture = try DropFixture()
    #expect(rmdir(fixture.path) == 0)
    await fixture.round()
    #expect(mkdir(fixture.path, 0o700) == 0)
    try fixture.write(DropFixture.batch())
    await fixture.round()
    #expect(fixture.received.count == 1)
    #expect(fixture.reported.count == 1)
  }
}

extension DropReader.Event {
  fileprivate var id: String? {
    switch self {
    case .queued(let id, _, _, _), .refused(let id, _, _), .reported(let id, _, _): id
    case .delayed, .unusable, .closed: nil
    }
  }

  fileprivate var problem: String? {
    if case .unusable(_, let problem) = self { problem } else { nil }
  }
}
