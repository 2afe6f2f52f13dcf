internal import PabalCore
internal import PabalCurl
internal import PabalFormats

/// A connection to an IMAP server, with TLS. libcurl does TCP, TLS and the proxy; the conversation is here, because
/// libcurl's IMAP selects a mailbox with write access and doesn't return literals of commands of one's own.
///
/// Every call blocks. What the server sends is bounded in size, and in time by `timeout` for each read.
final class IMAPConnection {
  private let handle: CurlHandle
  private let server: String
  private var parser: IMAPResponseParser
  private var commandCount = 0
  private var redactor = SecretRedactor(replacement: "[secret]")
  /// The server's capabilities, in capitals.
  private(set) var capabilities: Set<String> = []

  private static let timeout = 60_000
  // An answer to one command; what a mailbox of a million mails answers to a search is less.
  private static let responseLimit = 100_000

  /// Connects and reads the greeting. `literalLimit` is the most bytes of the literals of one response.
  init(
    host: String, port: Int, authorities: String?, proxy: CurlProxy?, literalLimit: Int
  ) throws(MailboxError) {
    let isLiteral = host.contains(":")
    server = "\(isLiteral ? "[\(host)]" : host):\(port)"
    parser = IMAPResponseParser(literalLimit: literalLimit)
    do throws(CurlError) {
      handle = try CurlHandle(protocols: "https")
      // With `connectOnly`, nothing of HTTP is sent.
      try handle.set(.url, "https://\(server)/")
      try handle.set(.connectOnly, true)
      try handle.set(.applicationProtocols, false)
      try handle.set(.connectTimeout, .seconds(20))
      if let authorities { try handle.setTrustRoots(.only(file: authorities, directory: nil)) }
      if let proxy { try handle.setProxy(proxy) }
      try handle.perform()
    } catch {
      throw MailboxError("\(server): \(error)")
    }
    let greeting = try response()
    guard greeting.words.first == "*", greeting.words.count > 1,
      ["OK", "PREAUTH"].contains(greeting.words[1])
    else { throw problem("doesn't speak IMAP, or refused the connection: \(shown(greeting))") }
    capabilities = Self.capabilities(in: greeting)
    if capabilities.isEmpty { try readCapabilities() }
  }

  /// Hides `secret` in errors.
  func hide(_ secret: String) { redactor.add(Array(secret.utf8), as: [.fragments, .base64]) }

  /// Sends a command and returns its untagged responses. Throws if the server refuses it; `step` says what was tried.
  @discardableResult
  func run(_ command: String, _ step: String) throws(MailboxError) -> [IMAPResponse] {
    let (untagged, tagged) = try ask(command)
    guard tagged.words.dropFirst().first == "OK" else {
      throw problem("\(step) was refused: \(shown(tagged))")
    }
    return untagged
  }

  /// Sends a command and returns its untagged responses and the tagged one, which has the result. A request for more
  /// (`+`) is answered by the next of `continuations`, or else by an empty line, which cancels or confirms.
  func ask(
    _ command: String, continuations: [String] = []
  ) throws(MailboxError) -> (untagged: [IMAPResponse], tagged: IMAPResponse) {
    commandCount += 1
    let tag = "A\(commandCount)"
    try send("\(tag) \(command)\r\n")
    var untagged: [IMAPResponse] = []
    var left = continuations[...]
    var requests = 0
    while true {
      let response = try response()
      if response.line.hasPrefix("\(tag) ") { return (untagged, response) }
      if response.line.hasPrefix("+") {
        requests += 1
        guard requests <= continuations.count + 1 else { throw problem("asks for more again and again") }
        try send("\(left.popFirst() ?? "")\r\n")
        continue
      }
      guard response.line.hasPrefix("* ") else { throw problem("doesn't speak IMAP: \(shown(response))") }
      guard response.words.dropFirst().first != "BYE" else {
        throw problem("ended the connection: \(shown(response))")
      }
      guard untagged.count < Self.responseLimit else { throw problem("answers without an end") }
      untagged.append(response)
    }
  }

  /// Reads the capabilities, which a login may change.
  func readCapabilities() throws(MailboxError) {
    capabilities = try run("CAPABILITY", "CAPABILITY").reduce(into: []) {
      $0.formUnion(Self.capabilities(in: $1))
    }
  }

  /// Says goodbye without waiting for an answer.
  func close() { try? send("A\(commandCount + 1) LOGOUT\r\n") }

  /// Returns the error that `text` describes.
  func problem(_ text: String) -> MailboxError { MailboxError("\(server) \(text)") }

  /// Returns a response as errors show it.
  func shown(_ response: IMAPResponse) -> String {
    printable(redactor.redact(String(response.line.prefix(200))))
  }

  private static func capabilities(in response: IMAPResponse) -> Set<String> {
    let words = response.line.uppercased().split { " []".contains($0) }.map(String.init)
    guard let start = words.firstIndex(of: "CAPABILITY") else { return [] }
    let end = words[start...].firstIndex { $0.hasPrefix("OK") } ?? words.endIndex
    return Set(words[(start + 1)..<max(end, start + 1)])
  }

  private func send(_ text: String) throws(MailboxError) {
    let deadline = ContinuousClock.now + .milliseconds(Self.timeout)
    var text = text
    let result = text.withUTF8 { bytes -> Result<Bool, CurlError> in
      var start = 0
      do throws(CurlError) {
        while start < bytes.count {
          if let taken = try handle.send(
            UnsafeRawBufferPointer(UnsafeBufferPointer(rebasing: bytes[start...])))
          {
            start += taken
          } else if ContinuousClock.now < deadline {
            _ = handle.wait(for: .either, milliseconds: 1_000)
          } else {
            return .success(false)
          }
        }
        return .success(true)
      } catch {
        return .failure(error)
      }
    }
    switch result {
    case .success(true): break
    case .success(false): throw problem("takes no more commands")
    case .failure(let error): throw MailboxError("\(server): the connection was lost (\(error))")
    }
  }

  private func response() throws(MailboxError) -> IMAPResponse {
    let deadline = ContinuousClock.now + .milliseconds(Self.timeout)
    while true {
      do throws(IMAPParserError) {
        if let response = try parser.next() { return response }
      } catch {
        throw problem("sent more than was asked for")
      }
      let count: Int?
      do throws(CurlError) {
        count = try withUnsafeTemporaryAllocation(byteCount: 1 << 14, alignment: 1) {
          buffer throws(CurlError) -> Int? in
          guard let count = try handle.receive(into: buffer) else { return nil }
          parser.append(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
          return count
        }
      } catch {
        throw MailboxError("\(server): the connection was lost (\(error))")
      }
      if count == 0 { throw problem("closed the connection") }
      guard ContinuousClock.now < deadline else {
        throw problem("answered nothing for \(Self.timeout / 1_000) s")
      }
      if count == nil { _ = handle.wait(for: .readable, milliseconds: 1_000) }
    }
  }
}
