package import PabalCore

/// Submits a mail over the Unix socket of `pabal serve`.
struct SubmissionClient {
  /// A part of the dialogue that can be refused.
  enum Command {
    case greeting
    case mail
    case recipient
    case content
  }

  /// How a submission ended.
  enum Result {
    /// The mail is durable under this id.
    case queued(id: String)
    /// The service refused the mail, or one of its recipients; nothing is queued.
    case refused(ServiceReply, Command, about: [Address])
    /// The connection failed before the service had the whole mail; nothing is queued.
    case failed(String)
    /// The connection failed before the service's last answer; whether the mail is queued isn't known. `isRepeatable`
    /// says that the service knows the mail's id, so that it isn't queued twice.
    case lost(String, isRepeatable: Bool)
  }

  /// The path of the socket.
  let path: String

  /// The number of recipients whose replies are outstanding at the same time, so that neither side blocks on a full buffer.
  private static let window = 100

  /// Submits the mail; blocks until it is durable or has failed.
  func submit(_ mail: OutgoingMail) -> Result {
    do throws(SubmissionSocket.Failure) {
      var socket = try SubmissionSocket.connect(to: path)
      socket.setTimeout(seconds: 30)
      let greeting = try socket.reply()
      guard greeting.code == 220 else { return .refused(greeting, .greeting, about: []) }
      try socket.send(line("EHLO \(mail.hostName)"))
      let hello = try socket.reply()
      guard hello.code == 250 else { return .refused(hello, .greeting, about: []) }
      let extensions = ServiceExtensions(hello)
      if let reply = extensions.refusal(of: mail) { return .refused(reply, .mail, about: []) }
      if let refusal = try sendEnvelope(of: mail, extensions.names, &socket) {
        // Leaves nothing of the transaction behind; its reply doesn't matter any more.
        try? socket.send(line("RSET") + line("QUIT"))
        return refusal
      }
      return try sendContent(of: mail, extensions.names, &socket)
    } catch {
      return .failed(error.reason)
    }
  }

  /// Sends MAIL and RCPT; returns the refusal unless all recipients are accepted.
  private func sendEnvelope(
    of mail: OutgoingMail, _ extensions: Set<String>, _ socket: inout SubmissionSocket
  ) throws(SubmissionSocket.Failure) -> Result? {
    var rest = mail.recipients[...]
    var refused: [(Address, ServiceReply)] = []
    var isFirst = true
    while !rest.isEmpty {
      let batch = rest.prefix(Self.window)
      rest = rest.dropFirst(Self.window)
      var commands = isFirst ? line(mail.mailCommand(extensions)) : []
      for recipient in batch { commands += line(mail.recipientCommand(recipient, extensions)) }
      try socket.send(commands)
      let sender = isFirst ? try socket.reply() : nil
      isFirst = false
      for recipient in batch {
        let reply = try socket.reply()
        if reply.code / 100 != 2 { refused.append((recipient, reply)) }
      }
      if let sender, sender.code / 100 != 2 { return .refused(sender, .mail, about: []) }
    }
    // A permanent refusal decides, because sending it again can't help.
    guard let (_, reply) = refused.first(where: { !$0.1.isTemporary }) ?? refused.first else { return nil }
    return .refused(reply, .recipient, about: refused.filter { $0.1.code == reply.code }.map(\.0))
  }

  private func sendContent(
    of mail: OutgoingMail, _ extensions: Set<String>, _ socket: inout SubmissionSocket
  ) throws(SubmissionSocket.Failure) -> Result {
    // The commit of a busy service takes longer than an answer to a command.
    socket.setTimeout(seconds: 120)
    if extensions.contains("CHUNKING") {
      try socket.send(line("BDAT \(mail.content.count) LAST"))
    } else {
      try socket.send(line("DATA"))
      let reply = try socket.reply()
      guard reply.code == 354 else { return .refused(reply, .content, about: []) }
    }
    let content = extensions.contains("CHUNKING") ? mail.content : Self.dotStuffed(mail.content)
    do throws(SubmissionSocket.Failure) {
      // A service that refuses the mail early may close the connection, with its reply unread.
      let sending: SubmissionSocket.Failure?
      do throws(SubmissionSocket.Failure) {
        try socket.send(content)
        sending = nil
      } catch {
        sending = error
      }
      let reply: ServiceReply
      do throws(SubmissionSocket.Failure) {
        reply = try socket.reply()
      } catch {
        throw sending ?? error
      }
      guard reply.code / 100 == 2 else { return .refused(reply, .content, about: []) }
      try? socket.send(line("QUIT"))
      return .queued(id: mail.id)
    } catch {
      return .lost(error.reason, isRepeatable: extensions.contains(OutgoingMail.idExtension))
    }
  }

  private func line(_ text: String) -> [UInt8] { Array(text.utf8) + [0x0D, 0x0A] }

  /// The content for DATA, with its end (RFC 5321, 4.5.2).
  private static func dotStuffed(_ content: [UInt8]) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(content.count + content.count / 64 + 8)
    var atStart = true
    for byte in content {
      if atStart, byte == UInt8(ascii: ".") { bytes.append(byte) }
      bytes.append(byte)
      atStart = byte == 0x0A
    }
    return bytes + Array(".\r\n".utf8)
  }
}

/// The limits that `pabal serve` announces on its socket.
package enum ServiceLimits {
  /// Asks the service; `nil` if it can't be reached.
  package static func ask(_ path: String) -> PublishedLimits? {
    do throws(SubmissionSocket.Failure) {
      var socket = try SubmissionSocket.connect(to: path)
      socket.setTimeout(seconds: 5)
      guard try socket.reply().code == 220 else { return nil }
      try socket.send(Array("EHLO localhost\r\n".utf8))
      let hello = try socket.reply()
      guard hello.code == 250 else { return nil }
      try? socket.send(Array("QUIT\r\n".utf8))
      let extensions = ServiceExtensions(hello)
      guard let size = extensions.maxSize, let recipients = extensions.maxRecipients else { return nil }
      return PublishedLimits(size: size, recipients: recipients)
    } catch {
      return nil
    }
  }
}

/// The extensions in a reply to EHLO.
private struct ServiceExtensions {
  let names: Set<String>
  let maxSize: Int?
  let maxRecipients: Int?

  init(_ reply: ServiceReply) {
    var names: Set<String> = []
    var (size, recipients): (Int?, Int?) = (nil, nil)
    for line in reply.lines.dropFirst() {
      let words = line.uppercased().split(separator: " ").map(String.init)
      guard let name = words.first else { continue }
      names.insert(name)
      if name == "SIZE", words.count > 1, let limit = Int(words[1]), limit > 0 { size = limit }
      for word in words.dropFirst() where name == "LIMITS" && word.hasPrefix("RCPTMAX=") {
        recipients = Int(word.dropFirst("RCPTMAX=".count))
      }
    }
    self.names = names
    maxSize = size
    maxRecipients = recipients
  }

  /// The reply that the service would give to a mail beyond its limits.
  func refusal(of mail: OutgoingMail) -> ServiceReply? {
    if let maxSize, mail.content.count > maxSize {
      return ServiceReply(
        code: 552, lines: ["5.3.4 \(mail.content.count) bytes, the largest mail has \(maxSize)"])
    }
    if let maxRecipients, mail.recipients.count > maxRecipients {
      return ServiceReply(
        code: 552, lines: ["5.5.3 \(mail.recipients.count) recipients, a mail can have \(maxRecipients)"])
    }
    if mail.needsSMTPUTF8, !names.contains("SMTPUTF8") {
      return ServiceReply(code: 553, lines: ["5.6.7 the service takes no addresses beyond ASCII"])
    }
    return nil
  }
}
