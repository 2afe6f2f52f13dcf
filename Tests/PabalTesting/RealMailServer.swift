public import Foundation
import Synchronization

/// A real mail server on loopback (`Tests/Servers/mailserver.sh`), which stops when its standard input is closed.
public final class RealMailServer: Sendable {
  /// Whether this machine can run mail servers, which needs root and `Tests/Servers/install.sh`.
  public static let isAvailable =
    getuid() == 0 && FileManager.default.isExecutableFile(atPath: "/usr/sbin/postfix")
    && FileManager.default.isExecutableFile(atPath: "/usr/sbin/dovecot")
    && FileManager.default.isExecutableFile(atPath: "\(BuiltProducts.root)/.build-servers/usr/sbin/exim4")

  private let directory: TemporaryDirectory
  private let input = Pipe()
  /// The authority of the server's certificate.
  public let authority: TestAuthority
  /// The values that the script printed: `tls` and `starttls` ports, tokens, the `mail` folder.
  public let values: [String: String]

  // Tests share one server of each kind, which stops at the end of the test run.
  private static let running = Mutex<[String: RealMailServer]>([:])

  /// Returns the shared server of a kind; the first call starts it.
  public static func of(_ kind: String) throws -> RealMailServer {
    try running.withLock { running in
      if let server = running[kind] { return server }
      let server = try RealMailServer(kind)
      running[kind] = server
      return server
    }
  }

  /// Starts a Postfix that verifies tokens at the URL `tokenInfo`; it stops with the test run.
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

  /// Waits for the mail that contains `marker` and returns it from the marker on.
  public func mail(_ marker: String) throws -> Data {
    let folder = values["mail"] ?? ""
    let wanted = Data(marker.utf8)
    // Waits, because delivery may follow some time after the reply.
    let end = Date(timeIntervalSinceNow: 20)
    var seen: Set<String> = []
    while Date() < end {
      for name in (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
      where !seen.contains(name) {
        // Mailbox files are complete when they appear, but smtp-sink writes in place.
        guard let data = FileManager.default.contents(atPath: "\(folder)/\(name)") else { continue }
        if let start = data.prefix(4_000).range(of: wanted)?.lowerBound { return data[start...] }
        if data.count > 4_000 { seen.insert(name) }
      }
      usleep(50_000)
    }
    throw TestError("no mail with \(marker) in \(folder)")
  }

  /// Whether `read` has the same lines as `sent`, apart from line endings and one additional empty line.
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
