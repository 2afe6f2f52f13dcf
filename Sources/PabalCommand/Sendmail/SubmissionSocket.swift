import Glibc
import PabalCore

/// A connection to the Unix socket of `pabal serve`.
struct SubmissionSocket: ~Copyable {
  /// Why the connection ended.
  struct Failure: Error {
    /// What happened, as the end of "the socket PATH …".
    var reason: String
  }

  private let descriptor: CInt
  private var received: [UInt8] = []
  private var position = 0

  private init(descriptor: CInt) { self.descriptor = descriptor }

  /// Connects to the socket at `path`.
  static func connect(to path: String) throws(Failure) -> SubmissionSocket {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let bytes = Array(path.utf8)
    let capacity = MemoryLayout.size(ofValue: address.sun_path)
    guard bytes.count < capacity, !bytes.contains(0) else { throw Failure(reason: "has too long a path") }
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
    let descriptor = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { throw Failure(reason: String(cString: strerror(errno))) }
    let connection = SubmissionSocket(descriptor: descriptor)
    // A service that accepts no more connections would block connect(2) for ever.
    connection.setTimeout(seconds: 10)
    let status = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    guard status == 0 else {
      let number = errno
      throw Failure(
        reason: number == ENOENT
          ? "doesn't exist" : number == EAGAIN ? "is busy" : String(cString: strerror(number)))
    }
    return connection
  }

  deinit { close(descriptor) }

  /// Sets how long one read or write may take.
  func setTimeout(seconds: Int) {
    var time = timeval(tv_sec: seconds, tv_usec: 0)
    let size = socklen_t(MemoryLayout<timeval>.size)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &time, size)
    setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &time, size)
  }

  /// Sends all bytes.
  func send(_ bytes: [UInt8]) throws(Failure) {
    var sent = 0
    while sent < bytes.count {
      let count = bytes.withUnsafeBytes {
        Glibc.send(descriptor, $0.baseAddress.map { $0 + sent }, $0.count - sent, CInt(MSG_NOSIGNAL))
      }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { throw Self.failure(errno) }
      sent += count
    }
  }

  /// Reads one reply.
  mutating func reply() throws(Failure) -> ServiceReply {
    var lines: [String] = []
    while true {
      let line = try line()
      let code = Int(line.prefix(3))
      guard let code, 200..<600 ~= code, line.utf8.count >= 3 else {
        throw Failure(reason: "answered in a language other than SMTP")
      }
      lines.append(String(line.dropFirst(4)))
      guard line.dropFirst(3).first == "-", lines.count < 100 else {
        return ServiceReply(code: code, lines: lines)
      }
    }
  }

  private mutating func line() throws(Failure) -> String {
    while true {
      if let end = received[position...].firstIndex(of: 0x0A) {
        var line = received[position..<end]
        position = end + 1
        if line.last == 0x0D { line.removeLast() }
        return String(decoding: line, as: UTF8.self)
      }
      guard received.count - position < 4_096 else { throw Failure(reason: "answered too long a line") }
      received.removeFirst(position)
      position = 0
      var buffer = [UInt8](repeating: 0, count: 4_096)
      let count = read(descriptor, &buffer, buffer.count)
      if count < 0, errno == EINTR { continue }
      guard count != 0 else { throw Failure(reason: "closed the connection") }
      guard count > 0 else { throw Self.failure(errno) }
      received += buffer[..<count]
    }
  }

  private static func failure(_ number: CInt) -> Failure {
    Failure(reason: number == EAGAIN ? "doesn't answer" : String(cString: strerror(number)))
  }
}

/// A reply of the service: its code and the text of its lines.
package struct ServiceReply: Sendable, Equatable {
  /// The three digits.
  package var code: Int
  /// The lines without their codes.
  package var lines: [String]

  /// The enhanced status code, such as `5.7.1`; `nil` if the reply has none.
  var status: String? {
    guard let word = lines.first?.split(separator: " ").first else { return nil }
    let parts = word.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 3, parts.allSatisfy({ Int($0) != nil }) else { return nil }
    return String(word)
  }

  /// The text on one line, with its codes.
  var text: String { printable("\(code) \(lines.joined(separator: " "))") }

  /// Whether the same mail may be accepted later. Too many recipients (4.5.3) stay too many.
  var isTemporary: Bool { 400..<500 ~= code && status != "4.5.3" }

  /// The exit status for a caller whose mail was refused with this reply to the command `command`.
  func exitStatus(after command: SubmissionClient.Command) -> ExitStatus {
    if isTemporary { return .deferred }
    let status = status ?? ""
    if [530, 534, 535, 538].contains(code) || status.hasPrefix("5.7.") { return .held }
    if [500, 502, 503, 504, 555].contains(code) { return .software }
    switch command {
    case .greeting: return .rejected
    case .recipient: return status.hasPrefix("5.1.") || code == 550 ? .noUser : .input
    case .mail, .content:
      let isAboutMail = ["5.1.", "5.2.3", "5.3.4", "5.5.3", "5.6.", "4.5.3"].contains { status.hasPrefix($0) }
      return isAboutMail || [501, 552, 553].contains(code) ? .input : .rejected
    }
  }
}
