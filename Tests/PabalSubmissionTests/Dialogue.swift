import PabalCore

@testable import PabalSubmission

/// A dialogue driven as a driver does: each step is carried out as soon as it is asked for.
struct Dialogue {
  var session: SMTPSession
  /// All replies so far.
  private(set) var output: [UInt8] = []
  private(set) var submissions: [SMTPSubmission] = []
  private(set) var credentials: [SMTPCredentials] = []
  private(set) var isClosed = false
  /// How often TLS was begun.
  private(set) var handshakes = 0
  /// The result of each login.
  var login = SMTPAuthenticationResult.accepted(.user("kim"))
  /// The result of queueing; `nil`: success under an id that counts up.
  var refusal: SMTPReply?

  init(_ policy: SMTPSessionPolicy = SMTPSessionPolicy(), peer: SMTPPeer = .local) {
    session = SMTPSession(policy, peer: peer)
    output += session.takeOutput()
  }

  /// Feeds input and works until more is needed.
  mutating func feed(_ bytes: some Sequence<UInt8>) {
    session.append(bytes)
    run()
  }

  /// Feeds text whose line feeds stand for CRLF, and returns the replies to it.
  @discardableResult mutating func send(_ text: String) -> String {
    let start = output.count
    feed(Array(text.replacing("\n", with: "\r\n").utf8))
    return String(decoding: output[start...], as: UTF8.self).replacing("\r\n", with: "\n")
  }

  /// Ends the input.
  mutating func end() {
    session.endInput()
    run()
  }

  /// The codes of all replies so far, without those of continued lines.
  var codes: [Int] { Dialogue.codes(output) }

  /// The codes of replies, without those of continued lines.
  static func codes(_ output: [UInt8]) -> [Int] {
    output.split(separator: 0x0A).filter { $0.dropFirst(3).first == 0x20 }.compactMap {
      Int(String(decoding: $0.prefix(3), as: UTF8.self))
    }
  }

  private mutating func run() {
    while !isClosed {
      let step = session.next()
      output += session.takeOutput()
      switch step {
      case .read: return
      case .authenticate(let credentials):
        self.credentials.append(credentials)
        session.authenticated(login)
      case .startTLS:
        handshakes += 1
        session.startedTLS(submitter: nil)
      case .submit(let submission):
        submissions.append(submission)
        session.submitted(refusal.map { .refused($0) } ?? .queued(id: "ID\(submissions.count)"))
      case .close: isClosed = true
      }
      output += session.takeOutput()
    }
  }
}

extension SMTPPeer {
  /// A process on this machine, which needs no login.
  static let local = SMTPPeer(address: nil, submitter: .local("root"))
  /// A client on the network that has to log in.
  static let remote = SMTPPeer(address: "192.0.2.7")
}
