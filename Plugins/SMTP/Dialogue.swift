internal import Glibc
internal import PabalCurl

/// Why a dialogue ended before its last reply.
enum Breach: Error, Equatable {
  /// The connection broke or was closed.
  case closed(String)
  /// The server was silent for too long, in seconds.
  case silent(Double)
  /// The server doesn't speak SMTP.
  case fault(ReplyFault)
  /// The server has already refused what was still on its way.
  case refused

  /// What happened, in words.
  var words: String {
    switch self {
    case .closed(let detail): "the connection broke: \(detail)"
    case .silent(let seconds): "the server was silent for \(Self.short(seconds)) s"
    case .fault(let fault): fault.words
    case .refused: "the server refused before the mail was through"
    }
  }

  private static func short(_ seconds: Double) -> String {
    seconds == seconds.rounded() ? "\(Int(seconds))" : "\(seconds)"
  }
}

/// Sends octets and reads replies over one connection; never both sides waiting for each other.
final class Dialogue {
  let handle: CurlHandle
  var reader: ReplyReader
  private let timeout: Int

  /// `timeout` in milliseconds: the longest silence, for each reply and each slice.
  init(_ handle: CurlHandle, timeout: Int) {
    self.handle = handle
    self.timeout = timeout
    reader = ReplyReader()
  }

  /// Whether the connection stands and nothing unasked has come over it.
  func isQuiet() -> Bool {
    guard !reader.hasRest else { return false }
    do throws(CurlFailure) {
      let result = try reader.read { buffer throws(CurlFailure) in try handle.receive(into: buffer) }
      // Compared by `==`, two results cost as much as reading.
      if case .success(nil) = result { return true }
      return false
    } catch {
      return false
    }
  }

  /// Hands all of `octets` over, reading replies meanwhile; they must not move until it returns.
  ///
  /// `stop` looks at the replies whenever the server is slow to take more; `true` ends it.
  func send(_ octets: UnsafeRawBufferPointer, stop: (borrowing ReplyReader) -> Bool) throws(Breach) {
    var start = 0
    var deadline = milliseconds() + timeout
    while start < octets.count {
      let slice = UnsafeRawBufferPointer(
        rebasing: octets[start..<min(octets.count, start + CommandBuffer.slice)])
      let taken: Int?
      do throws(CurlFailure) {
        taken = try handle.send(slice)
      } catch {
        // The reason may have come before the connection went.
        while try readAvailable() {}
        if stop(reader) { throw .refused }
        throw .closed(error.detail)
      }
      if let taken {
        start += taken
        deadline = milliseconds() + timeout
        continue
      }
      // The same slice again, as OpenSSL demands: nothing taken doesn't mean that nothing left.
      try wait(for: .either, until: deadline)
      while try readAvailable() {}
      if stop(reader) { throw .refused }
    }
  }

  /// Reads until there are `count` replies since the reader's reset.
  func awaitReplies(_ count: Int) throws(Breach) {
    reader.awaited = count
    // Straight after a flight nothing can have come: waiting first saves a call.
    while reader.replies.count < count {
      let before = reader.replies.count
      let deadline = milliseconds() + timeout
      while reader.replies.count == before {
        try wait(for: .readable, until: deadline)
        while reader.replies.count < count, try readAvailable() {}
      }
    }
  }

  /// Reads once; `false` when nothing has come.
  func readAvailable() throws(Breach) -> Bool {
    let result: Result<Int?, ReplyFault>
    do throws(CurlFailure) {
      result = try reader.read { buffer throws(CurlFailure) in try handle.receive(into: buffer) }
    } catch {
      throw .closed(error.detail)
    }
    switch result {
    case .success(nil): return false
    case .success(.some(0)): throw .closed("the server closed it")
    case .success: return true
    case .failure(let fault): throw .fault(fault)
    }
  }

  private func wait(for readiness: CurlHandle.Readiness, until deadline: Int) throws(Breach) {
    let left = deadline - milliseconds()
    guard left > 0, handle.wait(for: readiness, milliseconds: left) || milliseconds() < deadline else {
      throw .silent(Double(timeout) / 1_000)
    }
  }
}

/// Milliseconds of a clock that nobody sets.
func milliseconds() -> Int {
  var time = timespec()
  clock_gettime(CLOCK_MONOTONIC, &time)
  return time.tv_sec * 1_000 + time.tv_nsec / 1_000_000
}
