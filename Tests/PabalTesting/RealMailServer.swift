public import Foundation
import Synchronization

/// A real mail server on loopback, by `Tests/Servers/mailserver.sh`; it stops when its input ends.
public final class RealMailServer: Sendable {
  /// Whether this machine can run them: root, with `Tests/Servers/install.sh` done.
  public static let isAvailable =
    getuid() == 0 && FileManager.default.isExecutableFile(atPath: "/usr/sbin/postfix")
    && FileManager.default.isExecutableFile(atPath: "/usr/sbin/dovecot")
    && FileManager.default.isExecutableFile(atPath: "\(BuiltProducts.root)/.build-servers/usr/sbin/exim4")

  private let directory: TemporaryDirectory
  private let input = Pipe()
  /// Whose certificate it shows.
  public let authority: TestAuthority
  /// What it said of itself: `tls` and `starttls` ports, tokens, the `mail` folder.
  public let values: [String: String]

  // Tests of one kind share a server; it ends with the test run, when its input closes.
  private static let running = Mutex<[String: RealMailServer]>([:])

  /// The server of a kind, started by whoever asks first.
  public static func of(_ kind: String) throws -> RealMailServer {
    try running.withLock { running in
      if let server = running[kind] { return server }
      let server = try RealMailServer(kind)
      running[kind] = server
      return server
    }
  }

  /// A Postfix that asks `tokenInfo` whose each token is, as of Google; it stops with the test run.
  public static func postfix(tokenInfo: String) throws -> RealMailServer {
    let server = try RealMailServer("postfix", environment: ["TOKENINFO": tokenInfo])
    running.withLock { $0[tokenInfo] = server }
    return server
  }

  private init(_ kind: String, environment: [String: String] = [:]) throws {
    authority = try TestAuthority.shared.get()
    directory = try TemporaryDirectory()
    let output = Pipe()
    _ = try SpawnedProcess(
      "bash",
      [
        "\(BuiltProducts.root)/Tests/Servers/mailserver.sh", kind, directory.path, authority.good,
        authority.key,
      ], environment: .current(with: environment), input: .pipe(input), output: .pipe(output),
      errors: .pipe(output))
    var text = ""
    while !text.contains("READY") {
      let more = output.fileHandleForReading.availableData
      if more.isEmpty { throw TestError("\(kind) did not start: \(text)") }
      text += String(decoding: more, as: UTF8.self)
    }
    var values: [String: String] = [:]
    for line in text.split(separator: "\n") {
      let parts = line.split(separator: "=", maxSplits: 1)
      if parts.count == 2 { values[String(parts[0])] = String(parts[1]) }
    }
    self.values = values
  }

  /// The mail that holds `marker`, from there on, as it lies in its mailbox.
  public func mail(_ marker: String) throws -> Data {
    let folder = values["mail"] ?? ""
    let wanted = Data(marker.utf8)
    // Delivery goes on behind the reply; a server under load takes its time.
    let end = Date(timeIntervalSinceNow: 20)
    var seen: Set<String> = []
    while Date() < end {
      for name in (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
      where !seen.contains(name) {
        // A mailbox's files are whole when they have their name; smtp-sink's are written in place.
        guard let data = FileManager.default.contents(atPath: "\(folder)/\(name)") else { continue }
        if let start = data.prefix(4_000).range(of: wanted)?.lowerBound { return data[start...] }
        if data.count > 4_000 { seen.insert(name) }
      }
      usleep(50_000)
    }
    throw TestError("no mail with \(marker) in \(folder)")
  }

  /// Whether `read` holds the lines of `sent`, whatever ends them there, and at most one empty line more.
  public static func isSame(_ read: Data, _ sent: [UInt8]) -> Bool {
    read.withUnsafeBytes { read in
      sent.withUnsafeBytes { sent in
        var (left, right) = (Lines(read), Lines(sent))
        while let line = right.next() {
          guard let other = left.next(), other.count == line.count else { return false }
          if let a = line.baseAddress, let b = other.baseAddress, memcmp(a, b, line.count) != 0 {
            return false
          }
        }
        return left.next()?.isEmpty ?? true
      }
    }
  }

  private struct Lines {
    var rest: UnsafeRawBufferPointer
    init(_ bytes: UnsafeRawBufferPointer) { rest = bytes }

    mutating func next() -> UnsafeRawBufferPointer? {
      guard let start = rest.baseAddress, rest.count > 0 else { return nil }
      let end = memchr(start, 10, rest.count).map { UnsafeRawPointer($0) - start } ?? rest.count
      let isPair = end > 0 && start.load(fromByteOffset: end - 1, as: UInt8.self) == 13
      defer { rest = UnsafeRawBufferPointer(rebasing: rest[min(rest.count, end + 1)...]) }
      return UnsafeRawBufferPointer(rebasing: rest[..<(isPair ? end - 1 : end)])
    }
  }
}
