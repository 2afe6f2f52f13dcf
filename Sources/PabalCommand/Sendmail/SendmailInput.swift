import Glibc
import PabalCore

/// The mail on standard input, with every line ending in CRLF and a header that is separated from the body.
package struct SendmailInput {
  /// The mail: header fields, an empty line, the body.
  package private(set) var bytes: [UInt8]
  /// The names of the header fields, in lower case.
  let fields: Set<String>

  /// The maximum size of a mail in bytes, which bounds the memory that the command uses.
  static let limit = 100 << 20

  /// Reads standard input to its end, or with `endsAtDot` to a line with only a dot.
  static func read(endsAtDot: Bool) throws(CommandError) -> SendmailInput {
    var input: [UInt8] = []
    var end: Int?
    let size = 1 << 16
    repeat {
      var failure: CInt = 0
      let before = input.count
      input.append(
        contentsOf: [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
          var received = Glibc.read(STDIN_FILENO, buffer.baseAddress, size)
          while received < 0, errno == EINTR || errno == EAGAIN {
            if errno == EAGAIN {
              var waiting = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
              poll(&waiting, 1, -1)
            }
            received = Glibc.read(STDIN_FILENO, buffer.baseAddress, size)
          }
          if received < 0 { failure = errno }
          count = max(0, received)
        })
      guard failure == 0 else {
        throw CommandError(
          .noInput, "standard input: \(String(cString: strerror(failure)))",
          remedy: "pass the mail on standard input")
      }
      guard input.count <= limit else {
        throw CommandError(
          .input, "standard input: larger than \(limit) bytes", remedy: "send a smaller mail")
      }
      if input.count == before { break }
      if endsAtDot { end = endOfDotLine(in: input, from: before) }
    } while end == nil
    let mail = SendmailInput(mail: input[..<(end ?? dotAtEnd(of: input, endsAtDot) ?? input.count)])
    try mail.check()
    return mail
  }

  /// Throws if the service would refuse the mail for good, which it can't tell the sender of a mail in the drop directory.
  private func check() throws(CommandError) {
    do throws(MailError) {
      guard try SubmittedMail(bytes, lineEnds: .crlf).isLooping else { return }
    } catch {
      throw CommandError(.input, "mail: \(error.description)")
    }
    throw CommandError(.input, "mail: too many Received fields: a mail loop")
  }

  /// The mail in `input`. A part with a NUL, or with a CR that doesn't belong to a line end, as in the output of programs
  /// that show their progress, is encoded, because SMTP can't carry it.
  private init(mail input: ArraySlice<UInt8>) {
    if Self.hasLoneCROrNUL(input), let mail = try? SubmittedMail(Array(input), lineEnds: .any),
      let encoded = try? mail.encodedForSMTP()
    {
      self.init(encoded[...])
    } else {
      self.init(input)
    }
  }

  private static func hasLoneCROrNUL(_ input: ArraySlice<UInt8>) -> Bool {
    input.withUnsafeBufferPointer { bytes in
      guard let base = bytes.baseAddress else { return false }
      if memchr(base, 0, bytes.count) != nil { return true }
      var position = 0
      while let found = memchr(base + position, 0x0D, bytes.count - position) {
        position = UnsafeRawPointer(found) - UnsafeRawPointer(base) + 1
        if position == bytes.count || base[position] != 0x0A { return true }
      }
      return false
    }
  }

  /// Returns where the line with only a dot starts, if it is complete and ends at or after `start`.
  private static func endOfDotLine(in input: [UInt8], from start: Int) -> Int? {
    var index = max(0, start - 3)
    while index < input.count, let dot = input[index...].firstIndex(of: UInt8(ascii: ".")) {
      index = dot + 1
      guard dot == 0 || input[dot - 1] == 0x0A else { continue }
      var next = dot + 1
      if next < input.count, input[next] == 0x0D { next += 1 }
      if next < input.count, input[next] == 0x0A { return dot }
    }
    return nil
  }

  /// Returns where a dot starts that is the last line and has no line end.
  private static func dotAtEnd(of input: [UInt8], _ endsAtDot: Bool) -> Int? {
    let last = input.last == 0x0D ? input.count - 2 : input.count - 1
    guard endsAtDot, last >= 0, input[last] == UInt8(ascii: ".") else { return nil }
    return last == 0 || input[last - 1] == 0x0A ? last : nil
  }

  /// Repairs the line ends of `input` and finds its header.
  ///
  /// Programs mix LF and CRLF. A line that isn't a header field begins the body, and so does the first line of a text
  /// without a header, as in Postfix. The line before the header that mailbox files have ("From …") is left out.
  package init(_ input: ArraySlice<UInt8>) {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(input.count + input.count / 32 + 64)
    var fields: Set<String> = []
    var isHeader = true
    var index = Self.headerStart(of: input)
    while index < input.endIndex {
      if !isHeader {
        Self.append(body: input[index...], to: &bytes)
        break
      }
      let end = input[index...].firstIndex(of: 0x0A) ?? input.endIndex
      var line = input[index..<end]
      let next = end < input.endIndex ? end + 1 : end
      while line.last == 0x0D { line.removeLast() }
      let isContinuation = !fields.isEmpty && (line.first == 0x20 || line.first == 0x09)
      let name = isContinuation ? nil : Self.fieldName(of: line)
      guard isContinuation || name != nil else {
        isHeader = false
        bytes.append(contentsOf: [0x0D, 0x0A])
        // The empty line itself isn't part of the body.
        if line.isEmpty { index = next }
        continue
      }
      if let name { fields.insert(name) }
      // A CR inside a field would begin a new one at a next hop that takes it for a line end.
      bytes.append(contentsOf: line.lazy.map { $0 == 0x0D ? 0x20 : $0 })
      bytes.append(contentsOf: [0x0D, 0x0A])
      index = next
    }
    if isHeader { bytes.append(contentsOf: [0x0D, 0x0A]) }
    self.bytes = bytes
    self.fields = fields
  }

  /// Returns where the header starts: behind a byte order mark or the line of a mailbox file, if a field follows.
  private static func headerStart(of input: ArraySlice<UInt8>) -> Int {
    let first = input.starts(with: [0xEF, 0xBB, 0xBF]) ? input.startIndex + 3 : input.startIndex
    var start = first
    let rest = input[first...]
    let end = rest.firstIndex(of: 0x0A).map { $0 + 1 } ?? input.endIndex
    if MailboxLine.matches(rest[..<end]) { start = end }
    guard start > input.startIndex else { return start }
    let line = input[start...].prefix { $0 != 0x0A }
    return fieldName(of: line) == nil ? input.startIndex : start
  }

  /// Adds a field at the top of the header.
  mutating func prepend(field: [UInt8]) { bytes.insert(contentsOf: field, at: 0) }

  /// Returns the field's name in lower case, or `nil` if the line isn't a field.
  private static func fieldName(of line: ArraySlice<UInt8>) -> String? {
    guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { return nil }
    var name = line[..<colon]
    // White space before the colon is obsolete syntax (RFC 5322, 4.5).
    while name.last == 0x20 || name.last == 0x09 { name.removeLast() }
    guard !name.isEmpty, name.allSatisfy({ (0x21...0x7E).contains($0) }) else { return nil }
    return String(decoding: name, as: UTF8.self).lowercased()
  }

  /// Appends the body with LF, CR and CRLF as CRLF; CRs before an LF are one line end together with it.
  private static func append(body: ArraySlice<UInt8>, to bytes: inout [UInt8]) {
    body.withUnsafeBufferPointer { body in
      var start = 0
      var index = 0
      while index < body.count {
        let byte = body[index]
        guard byte == 0x0A || byte == 0x0D else {
          index += 1
          continue
        }
        bytes.append(contentsOf: UnsafeBufferPointer(rebasing: body[start..<index]))
        var end = index
        while end < body.count, body[end] == 0x0D { end += 1 }
        if end < body.count, body[end] == 0x0A {
          bytes.append(contentsOf: [0x0D, 0x0A])
          index = end + 1
        } else {
          // Lone CRs are line ends of their own, because SMTP has no other use for them.
          for _ in index..<end { bytes.append(contentsOf: [0x0D, 0x0A]) }
          index = end
        }
        start = index
      }
      bytes.append(contentsOf: UnsafeBufferPointer(rebasing: body[start...]))
    }
    if bytes.last != 0x0A { bytes.append(contentsOf: [0x0D, 0x0A]) }
  }
}
