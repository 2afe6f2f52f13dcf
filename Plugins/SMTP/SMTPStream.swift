internal import Glibc
internal import PabalCurl
internal import PabalFormats

/// Why a stream ended before its last reply.
enum SMTPStreamError: Error, Equatable {
  /// The connection broke or was closed.
  case closed(String)
  /// The server sent nothing for this many seconds.
  case timedOut(Double)
  /// The server sent something that isn't SMTP.
  case invalidReply(ReplyError)
  /// The server refused the rest of what was being sent.
  case refused
  /// The server sent more replies than there were commands.
  case unexpected

  /// The error as a sentence.
  var message: String {
    switch self {
    case .closed(let detail): "the connection was lost: \(detail)"
    case .timedOut(let seconds): "the server sent nothing for \(Self.formatted(seconds)) s"
    case .invalidReply(let invalidReply): invalidReply.message
    case .unexpected: "the server sent more replies than commands"
    case .refused: "the server refused the mail before it was sent completely"
    }
  }

  private static func formatted(_ seconds: Double) -> String {
    seconds == seconds.rounded() ? "\(Int(seconds))" : "\(seconds)"
  }
}

/// How long to wait for a server, in milliseconds (RFC 5321, 4.5.3.2).
struct SMTPLimits: Sendable, Equatable {
  /// For the connection, for each reply before the body has been sent, and for room to send more.
  var reply = 60_000
  /// For each reply after the last byte of the body.
  var finalReply = 600_000
}

/// Sends commands and reads replies over one connection. It reads while it sends, so that client and server can't
/// both wait for the other to read.
final class SMTPStream {
  let handle: CurlHandle
  var parser: ReplyParser
  private let limits: SMTPLimits

  init(_ handle: CurlHandle, _ limits: SMTPLimits) {
    self.handle = handle
    self.limits = limits
    parser = ReplyParser()
  }

  /// Whether the connection is open and has nothing to read.
  func hasNoUnsolicitedReply() -> Bool {
    guard !parser.hasPartialReply else { return false }
    do throws(CurlError) {
      let result = try parser.read { buffer throws(CurlError) in try handle.receive(into: buffer) }
      // A pattern, because `==` on two results costs as much as the read.
      if case .success(nil) = result { return true }
      return false
    } catch {
      return false
    }
  }

  /// Sends all of `bytes`, which must not move until it returns, and reads replies meanwhile.
  ///
  /// `stop` is called whenever the server is slow to read, and ends the sending with `.refused` by returning `true`.
  func send(_ bytes: UnsafeRawBufferPointer, stop: (borrowing ReplyParser) -> Bool) throws(SMTPStreamError) {
    var start = 0
    var deadline = MonotonicClock.milliseconds() + limits.reply
    while start < bytes.count {
      let slice = UnsafeRawBufferPointer(
        rebasing: bytes[start..<min(bytes.count, start + CommandBuffer.recordSize)])
      let taken: Int?
      do throws(CurlError) {
        taken = try handle.send(slice)
      } catch {
        // The server may have sent a reason before it closed the connection.
        while try readAvailable() {}
        if stop(parser) { throw .refused }
        throw .closed(error.detail)
      }
      if let taken {
        start += taken
        deadline = MonotonicClock.milliseconds() + limits.reply
        continue
      }
      // The next call must pass the same slice, because OpenSSL may have sent part of it.
      try wait(for: .either, until: deadline, limit: limits.reply)
      while try readAvailable() {}
      if stop(parser) { throw .refused }
    }
  }

  /// Reads until there are `count` replies since the parser's last reset, each within the limit of its own.
  func awaitReplies(_ count: Int) throws(SMTPStreamError) {
    parser.expectedCount = count
    while parser.replies.count < count {
      try awaitReply(count, until: MonotonicClock.milliseconds() + limits.reply, limit: limits.reply)
    }
  }

  /// Reads the one reply since the parser's last reset.
  func awaitReply() throws(SMTPStreamError) -> Reply {
    try awaitReplies(1)
    guard parser.replies.count == 1, !parser.hasPartialReply else { throw .unexpected }
    return parser.replies[0]
  }

  /// Reads the replies after the last byte of a body, `flightCount` bytes after the last reply.
  ///
  /// A server that is only slow gets the long limit (RFC 5321, 4.5.3.2.6). It isn't waited for any longer than for
  /// other replies if it is silent and its kernel hasn't acknowledged a byte.
  func awaitFinalReplies(_ count: Int, flightCount: Int) throws(SMTPStreamError) {
    parser.expectedCount = count
    let before = parser.replies.count
    while parser.replies.count < count {
      let start = MonotonicClock.milliseconds()
      if parser.replies.count == before, !parser.hasPartialReply, limits.reply < limits.finalReply {
        do throws(SMTPStreamError) {
          try awaitReply(count, until: start + limits.reply, limit: limits.reply)
          continue
        } catch {
          guard case .timedOut = error, (handle.tcpState()?.unacknowledgedCount ?? 0) < flightCount else {
            throw error
          }
        }
      }
      try awaitReply(count, until: start + limits.finalReply, limit: limits.finalReply)
    }
  }

  private func awaitReply(_ count: Int, until deadline: Int, limit: Int) throws(SMTPStreamError) {
    let before = parser.replies.count
    // Waits first, because no reply can have arrived right after sending; that saves a system call.
    while parser.replies.count == before {
      try wait(for: .readable, until: deadline, limit: limit)
      while parser.replies.count < count, try readAvailable() {}
    }
  }

  /// Whether the server closed the connection before it had received any of the last `count` bytes, so that it can't
  /// have taken them over.
  ///
  /// The kernel shows it: the server's FIN, which acknowledges what its kernel had received, acknowledges none of them,
  /// and then a reset says that they are discarded. A reset alone proves nothing, because it isn't read for what it
  /// acknowledges.
  func isUndelivered(_ count: Int) -> Bool {
    let deadline = MonotonicClock.milliseconds() + min(limits.reply, 2_000)
    while count > 0, let state = handle.tcpState(), state.unacknowledgedCount >= count {
      switch state.end {
      case .closedAndDiscarding: return true
      case .closed:
        let left = deadline - MonotonicClock.milliseconds()
        guard left > 0, handle.waitForReset(milliseconds: left) else { return false }
      case .open, .broken: return false
      }
    }
    return false
  }

  /// Reads once; returns `false` if there was nothing to read.
  func readAvailable() throws(SMTPStreamError) -> Bool {
    let result: Result<Int?, ReplyError>
    do throws(CurlError) {
      result = try parser.read { buffer throws(CurlError) in try handle.receive(into: buffer) }
    } catch {
      throw .closed(error.detail)
    }
    switch result {
    case .success(nil): return false
    case .success(.some(0)): throw .closed("the server closed it")
    case .success: return true
    case .failure(let invalidReply): throw .invalidReply(invalidReply)
    }
  }

  private func wait(
    for readiness: CurlHandle.Readiness, until deadline: Int, limit: Int
  ) throws(SMTPStreamError) {
    let left = deadline - MonotonicClock.milliseconds()
    guard left > 0,
      handle.wait(for: readiness, milliseconds: left) || MonotonicClock.milliseconds() < deadline
    else {
      throw .timedOut(Double(limit) / 1_000)
    }
  }
}
