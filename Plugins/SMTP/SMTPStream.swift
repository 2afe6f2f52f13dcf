internal import Glibc
internal import PabalCurl
internal import PabalFormats

/// Why a dialogue ended before its last reply.
enum SMTPStreamError: Error, Equatable {
  /// The connection broke or was closed.
  case closed(String)
  /// The server was silent for too long, in seconds.
  case timedOut(Double)
  /// The server doesn't speak SMTP.
  case invalidReply(ReplyError)
  /// The server has already refused what was still on its way.
  case refused

  /// What happened, in words.
  var message: String {
    switch self {
    case .closed(let detail): "the connection broke: \(detail)"
    case .timedOut(let seconds): "the server was silent for \(Self.formatted(seconds)) s"
    case .invalidReply(let invalidReply): invalidReply.message
    case .refused: "the server refused before the mail was through"
    }
  }

  private static func formatted(_ seconds: Double) -> String {
    seconds == seconds.rounded() ? "\(Int(seconds))" : "\(seconds)"
  }
}

/// Sends bytes and reads replies over one connection; never both sides waiting for each other.
final class SMTPStream {
  let handle: CurlHandle
  var parser: ReplyParser
  private let timeout: Int

  /// `timeout` in milliseconds: the longest silence, for each reply and each slice.
  init(_ handle: CurlHandle, timeout: Int) {
    self.handle = handle
    self.timeout = timeout
    parser = ReplyParser()
  }

  /// Whether the connection stands and nothing unasked has come over it.
  func hasNoUnsolicitedReply() -> Bool {
    guard !parser.hasPartialReply else { return false }
    do throws(CurlError) {
      let result = try parser.read { buffer throws(CurlError) in try handle.receive(into: buffer) }
      // Compared by `==`, two results cost as much as reading.
      if case .success(nil) = result { return true }
      return false
    } catch {
      return false
    }
  }

  /// Hands all of `bytes` over, reading replies meanwhile; they must not move until it returns.
  ///
  /// `stop` looks at the replies whenever the server is slow to take more; `true` ends it.
  func send(_ bytes: UnsafeRawBufferPointer, stop: (borrowing ReplyParser) -> Bool) throws(SMTPStreamError) {
    var start = 0
    var deadline = MonotonicClock.milliseconds() + timeout
    while start < bytes.count {
      let slice = UnsafeRawBufferPointer(
        rebasing: bytes[start..<min(bytes.count, start + CommandBuffer.slice)])
      let taken: Int?
      do throws(CurlError) {
        taken = try handle.send(slice)
      } catch {
        // The reason may have come before the connection went.
        while try readAvailable() {}
        if stop(parser) { throw .refused }
        throw .closed(error.detail)
      }
      if let taken {
        start += taken
        deadline = MonotonicClock.milliseconds() + timeout
        continue
      }
      // The same slice again, as OpenSSL demands: nothing taken doesn't mean that nothing left.
      try wait(for: .either, until: deadline)
      while try readAvailable() {}
      if stop(parser) { throw .refused }
    }
  }

  /// Reads until there are `count` replies since the reader's reset.
  func awaitReplies(_ count: Int) throws(SMTPStreamError) {
    parser.expectedCount = count
    // Straight after a flight nothing can have come: waiting first saves a call.
    while parser.replies.count < count {
      let before = parser.replies.count
      let deadline = MonotonicClock.milliseconds() + timeout
      while parser.replies.count == before {
        try wait(for: .readable, until: deadline)
        while parser.replies.count < count, try readAvailable() {}
      }
    }
  }

  /// Reads once; `false` when nothing has come.
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

  private func wait(for readiness: CurlHandle.Readiness, until deadline: Int) throws(SMTPStreamError) {
    let left = deadline - MonotonicClock.milliseconds()
    guard left > 0,
      handle.wait(for: readiness, milliseconds: left) || MonotonicClock.milliseconds() < deadline
    else {
      throw .timedOut(Double(timeout) / 1_000)
    }
  }
}
