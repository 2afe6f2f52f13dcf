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

  /// The error as a sentence.
  var message: String {
    switch self {
    case .closed(let detail): "the connection was lost: \(detail)"
    case .timedOut(let seconds): "the server sent nothing for \(Self.formatted(seconds)) s"
    case .invalidReply(let invalidReply): invalidReply.message
    case .refused: "the server refused the mail before it was sent completely"
    }
  }

  private static func formatted(_ seconds: Double) -> String {
    seconds == seconds.rounded() ? "\(Int(seconds))" : "\(seconds)"
  }
}

/// Sends commands and reads replies over one connection. It reads while it sends, so that client and server can't
/// both wait for the other to read.
final class SMTPStream {
  let handle: CurlHandle
  var parser: ReplyParser
  private let timeout: Int

  /// `timeout` in milliseconds applies to each reply and to each slice that is sent.
  init(_ handle: CurlHandle, timeout: Int) {
    self.handle = handle
    self.timeout = timeout
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
    var deadline = MonotonicClock.milliseconds() + timeout
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
        deadline = MonotonicClock.milliseconds() + timeout
        continue
      }
      // The next call must pass the same slice, because OpenSSL may have sent part of it.
      try wait(for: .either, until: deadline)
      while try readAvailable() {}
      if stop(parser) { throw .refused }
    }
  }

  /// Reads until there are `count` replies since the parser's last reset.
  func awaitReplies(_ count: Int) throws(SMTPStreamError) {
    parser.expectedCount = count
    // Waits first, because no reply can have arrived right after sending; that saves a system call.
    while parser.replies.count < count {
      let before = parser.replies.count
      let deadline = MonotonicClock.milliseconds() + timeout
      while parser.replies.count == before {
        try wait(for: .readable, until: deadline)
        while parser.replies.count < count, try readAvailable() {}
      }
    }
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

  private func wait(for readiness: CurlHandle.Readiness, until deadline: Int) throws(SMTPStreamError) {
    let left = deadline - MonotonicClock.milliseconds()
    guard left > 0,
      handle.wait(for: readiness, milliseconds: left) || MonotonicClock.milliseconds() < deadline
    else {
      throw .timedOut(Double(timeout) / 1_000)
    }
  }
}
