public import PabalCore
import Synchronization

/// A transport that answers as a test specifies and records the mail it receives.
public final class ScriptedTransport: Transport {
  private struct State {
    var answers: [Outcome]
    var byAddress: [String: Outcome] = [:]
    var reply: String?
    var received: [Mail] = []
    var isShut = false
    var waiting: [CheckedContinuation<Void, Never>] = []
    var watchers: [(count: Int, continuation: CheckedContinuation<Void, Never>)] = []
  }
  private let state: Mutex<State>
  /// The transport's name.
  public let name: String
  /// The server whose replies it reports.
  public let remoteHost: String?

  /// A transport that answers with `answers` one after the other, and then always with the last one.
  public init(_ name: String, _ answers: [Outcome] = [.sent], reply: String? = nil, remoteHost: String? = nil)
  {
    self.name = name
    self.remoteHost = remoteHost
    state = Mutex(State(answers: answers, reply: reply))
  }

  /// Sets the answers from now on.
  public func answer(_ answers: Outcome..., reply: String? = nil) {
    state.withLock { state in
      state.answers = answers
      state.reply = reply
    }
  }

  /// Sets the answer for one recipient, regardless of the other answers.
  public func answer(_ outcome: Outcome, for address: String) {
    state.withLock { $0.byAddress[address] = outcome }
  }

  /// The ids of the received mails, in order.
  public var ids: [String] { state.withLock { $0.received.map(\.id) } }

  /// The received mails, in order.
  public var received: [Mail] { state.withLock { $0.received } }

  /// Blocks attempts until `open` is called.
  public func shut() { state.withLock { $0.isShut = true } }

  /// Lets blocked attempts end.
  public func open() {
    let waiting = state.withLock { state in
      state.isShut = false
      defer { state.waiting = [] }
      return state.waiting
    }
    for continuation in waiting { continuation.resume() }
  }

  /// Returns when `count` mails have been received.
  public func received(_ count: Int) async {
    await withCheckedContinuation { continuation in
      let hasReceived = state.withLock { state in
        if state.received.count >= count { return true }
        state.watchers.append((count, continuation))
        return false
      }
      if hasReceived { continuation.resume() }
    }
  }

  /// Records the mail and returns the next answer.
  public func send(_ mail: Mail) async -> Receipt {
    let (receipt, seen) = state.withLock { state in
      state.received.append(mail)
      let outcome = state.answers.count > 1 ? state.answers.removeFirst() : state.answers.first ?? .sent
      let recipients = mail.envelope.recipients.map { address in
        Receipt.Recipient(
          address: address, outcome: state.byAddress[address.description] ?? outcome, reply: state.reply,
          remoteHost: remoteHost)
      }
      let seen = state.watchers.filter { $0.count <= state.received.count }
      state.watchers.removeAll { $0.count <= state.received.count }
      return (Receipt(recipients: recipients, reply: state.reply), seen)
    }
    for watcher in seen { watcher.continuation.resume() }
    await withCheckedContinuation { continuation in
      let isOpen = state.withLock { state in
        if state.isShut { state.waiting.append(continuation) }
        return !state.isShut
      }
      if isOpen { continuation.resume() }
    }
    return receipt
  }
}

extension Mail {
  /// Returns a mail for tests, built without the composer.
  public static func sample(
    to recipients: [String] = ["bob@example.org"], from sender: String? = "alice@example.test",
    bytes: [UInt8] = Array("Subject: x\r\n\r\nhello\r\n".utf8), id: String = "01JD0000000000000000000000",
    needsSMTPUTF8: Bool = false, needs8BitMIME: Bool = false
  ) throws -> Mail {
    guard
      let envelope = Envelope(
        sender: try sender.map { address throws(AddressError) in try Address(address) },
        recipients: try recipients.map { address throws(AddressError) in try Address(address) })
    else { throw MissingRecipientError() }
    return Mail(
      id: id, envelope: envelope, messageID: "<\(id)@example.test>", bytes: bytes,
      needsSMTPUTF8: needsSMTPUTF8, needs8BitMIME: needs8BitMIME)
  }
}

/// A sample needs at least one recipient.
public struct MissingRecipientError: Error {}
