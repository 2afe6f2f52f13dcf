import PabalCore
import PabalSubmission

/// Holds a dialogue with arbitrary input, in pieces of arbitrary length. No content may become two mails, the session may
/// keep only so much, and each reply must be well formed.
@c(LLVMFuzzerTestOneInput)
func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let bytes = Array(UnsafeBufferPointer(start: start, count: count))
  guard bytes.count >= 2 else { return 0 }
  var policy = SMTPSessionPolicy()
  policy.maxSize = 200
  policy.maxRecipients = 3
  policy.maxErrors = 30
  policy.hasUsers = bytes[0] & 1 != 0
  policy.offersTLS = bytes[0] & 2 != 0
  policy.allowsPlaintextLogin = bytes[0] & 4 != 0
  policy.acceptsLF = bytes[0] & 8 != 0
  policy.acceptsBatch = bytes[0] & 16 != 0
  policy.acceptsQueueIDs = bytes[0] & 32 != 0
  let submitter = bytes[0] & 64 != 0 ? nil : Submitter.local("root")
  let session = SMTPSession(policy, peer: SMTPPeer(address: "192.0.2.1", submitter: submitter))
  var dialogue = FuzzedDialogue(session, maxMails: maxMails(bytes[2...], policy))
  // The second byte is the length of a piece; 0: a line.
  let length = Int(bytes[1])
  var rest = bytes[2...]
  while !rest.isEmpty {
    let end =
      length == 0
      ? rest.firstIndex(of: 0x0A).map { $0 + 1 } ?? rest.endIndex
      : min(rest.startIndex + length, rest.endIndex)
    dialogue.feed(rest[..<end], policy)
    rest = rest[end...]
  }
  dialogue.end(policy)
  return 0
}

/// Returns how many mails an input can have at most: one for each line with a dot only, and one for each last chunk.
private func maxMails(_ input: ArraySlice<UInt8>, _ policy: SMTPSessionPolicy) -> Int {
  let text = input.map { (0x61...0x7A).contains($0) ? $0 - 0x20 : $0 }
  return text.indices.count { index in
    let rest = text[index...]
    return rest.starts(with: "LAST".utf8) || rest.starts(with: "\r\n.\r\n".utf8)
      || policy.acceptsLF && (rest.starts(with: "\n.\r\n".utf8) || rest.starts(with: "\n.\n".utf8))
  }
}

private struct FuzzedDialogue {
  private var session: SMTPSession
  private let maxMails: Int
  private var queued = 0
  private var isClosed = false
  private var steps = 0

  init(_ session: SMTPSession, maxMails: Int) {
    self.session = session
    self.maxMails = maxMails
  }

  mutating func feed(_ bytes: ArraySlice<UInt8>, _ policy: SMTPSessionPolicy) {
    session.append(bytes)
    work(policy)
    precondition(session.bufferedBytes <= 12_290, "the session keeps \(session.bufferedBytes) bytes")
  }

  mutating func end(_ policy: SMTPSessionPolicy) {
    session.endInput()
    work(policy)
    precondition(isClosed, "the session goes on after the end of its input")
  }

  private mutating func work(_ policy: SMTPSessionPolicy) {
    while !isClosed {
      let step = session.next()
      checkOutput()
      steps += 1
      switch step {
      case .read: return
      case .authenticate: session.authenticated(steps % 3 == 0 ? .rejected : .accepted(.user("kim")))
      case .startTLS:
        precondition(policy.offersTLS, "TLS isn't offered")
        session.startedTLS(submitter: nil)
      case .submit(let submission):
        queued += 1
        check(submission, policy)
        session.submitted(steps % 5 == 0 ? .refused(SMTPReply(451, "4.3.0", "later")) : .queued(id: "ID"))
      case .close: isClosed = true
      }
      checkOutput()
    }
  }

  private func check(_ submission: SMTPSubmission, _ policy: SMTPSessionPolicy) {
    precondition(queued <= maxMails, "a content became two mails")
    precondition((1...policy.maxRecipients).contains(submission.recipients.count))
    precondition(submission.bytes.count <= policy.maxSize)
    for index in submission.bytes.indices {
      switch submission.bytes[index] {
      case 0: preconditionFailure("a NUL")
      case 0x0A: precondition(index > 0 && submission.bytes[index - 1] == 0x0D, "a lone LF")
      case 0x0D:
        precondition(
          index + 1 < submission.bytes.count && submission.bytes[index + 1] == 0x0A, "a lone CR")
      default: break
      }
    }
    let addresses = submission.recipients + (submission.sender.map { [$0] } ?? [])
    precondition(submission.isInternational || !addresses.contains { $0.needsSMTPUTF8 })
    guard let mail = try? SubmittedMail(submission.bytes, lineEnds: .crlf) else {
      preconditionFailure("content of a dialogue isn't a mail")
    }
    _ = mail.isLooping
  }

  private mutating func checkOutput() {
    let output = session.takeOutput()
    guard !output.isEmpty else { return }
    precondition(output.suffix(2).elementsEqual([0x0D, 0x0A]), "a reply doesn't end with CRLF")
    for line in output.dropLast(2).split(separator: 0x0A, omittingEmptySubsequences: false) {
      let line = line.last == 0x0D ? line.dropLast() : line
      precondition((4...510).contains(line.count) && line.allSatisfy { (0x20...0x7E).contains($0) })
      precondition(line.prefix(3).allSatisfy { (0x30...0x39).contains($0) })
      let separator = line[line.startIndex + 3]
      precondition(separator == 0x20 || separator == UInt8(ascii: "-"))
    }
  }
}
