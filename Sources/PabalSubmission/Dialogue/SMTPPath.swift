internal import PabalCore

/// The argument of MAIL or RCPT: a path and its parameters (RFC 5321, 4.1.1.2 and 4.1.1.3).
struct SMTPPath {
  /// A parameter of MAIL or RCPT.
  struct Parameter {
    /// The keyword in upper case.
    let keyword: String
    /// The value; `nil` if there is none.
    let value: String?
  }

  /// The text between `<` and `>`, without a source route; empty for `<>`.
  let mailbox: ArraySlice<UInt8>
  /// The parameters, each keyword once.
  let parameters: [Parameter]

  /// Reads what follows the verb: `FROM:` or `TO:`, a path, and parameters.
  init(_ argument: ArraySlice<UInt8>, after keyword: StaticString) throws(SMTPReply) {
    guard argument.prefix(keyword.utf8CodeUnitCount).isWord(keyword) else {
      throw SMTPReply(501, "5.5.4", "write \(keyword)<address>")
    }
    // A space before the path is wrong, but many programs write one.
    let rest = argument.dropFirst(keyword.utf8CodeUnitCount).trimmingSpaces
    guard let first = rest.first else { throw SMTPReply(501, "5.5.4", "write \(keyword)<address>") }
    let isBracketed = first == UInt8(ascii: "<")
    let path = isBracketed ? rest.dropFirst() : rest
    guard
      let end = SMTPPath.end(of: path, at: isBracketed ? UInt8(ascii: ">") : 0x20)
        ?? (isBracketed ? nil : path.endIndex)
    else { throw SMTPReply(501, "5.5.4", "the path has no closing >") }
    mailbox = try SMTPPath.withoutRoute(path[..<end])
    let tail = isBracketed ? path[end...].dropFirst() : path[end...]
    guard tail.isEmpty || tail.first == 0x20 else {
      throw SMTPReply(501, "5.5.4", "write a space before the parameters")
    }
    parameters = try SMTPPath.parameters(tail)
  }

  /// Whether the path is `<>`.
  var isNull: Bool { mailbox.isEmpty }

  /// Whether the path has non-ASCII characters.
  var isInternational: Bool { mailbox.contains { $0 >= 0x80 } }

  /// Returns the address. A name without a domain, such as `postmaster`, gets `domain`. Throws a reply with `status`
  /// if the path isn't valid.
  func address(completing domain: String, status: String) throws(SMTPReply) -> Address {
    guard var text = String(validating: mailbox, as: UTF8.self) else {
      throw SMTPReply(501, status, "the address isn't UTF-8")
    }
    if SMTPPath.end(of: mailbox, at: UInt8(ascii: "@")) == nil, !text.isEmpty { text += "@\(domain)" }
    do throws(AddressError) {
      return try Address(text)
    } catch {
      throw SMTPReply(501, status, error.message)
    }
  }

  /// Returns where `delimiter` is, outside of a quoted string.
  private static func end(of text: ArraySlice<UInt8>, at delimiter: UInt8) -> Int? {
    var index = text.startIndex
    var isQuoted = false
    while index < text.endIndex {
      let byte = text[index]
      if isQuoted, byte == UInt8(ascii: "\\") {
        index += 1
      } else if byte == UInt8(ascii: "\"") {
        isQuoted.toggle()
      } else if !isQuoted, byte == delimiter {
        return index
      }
      index += 1
    }
    return nil
  }

  /// Removes a source route, `@one,@two:`, which is obsolete and ignored (RFC 5321, 4.1.1.3).
  private static func withoutRoute(_ path: ArraySlice<UInt8>) throws(SMTPReply) -> ArraySlice<UInt8> {
    guard path.first == UInt8(ascii: "@") else { return path }
    guard let colon = end(of: path, at: UInt8(ascii: ":")) else {
      throw SMTPReply(501, "5.5.4", "the source route has no colon")
    }
    return path[(colon + 1)...]
  }

  private static func parameters(_ text: ArraySlice<UInt8>) throws(SMTPReply) -> [Parameter] {
    var parameters: [Parameter] = []
    for word in text.split(separator: 0x20) {
      let keyword = word.prefix { $0 != UInt8(ascii: "=") }
      let value = keyword.count < word.count ? word.dropFirst(keyword.count + 1) : nil
      guard isKeyword(keyword), value.map(isValue) ?? true else {
        throw SMTPReply(501, "5.5.4", "a parameter isn't valid")
      }
      let name = String(decoding: keyword, as: UTF8.self).uppercased()
      guard !parameters.contains(where: { $0.keyword == name }) else {
        throw SMTPReply(501, "5.5.4", "the parameter \(name) occurs twice")
      }
      parameters.append(Parameter(keyword: name, value: value.map { String(decoding: $0, as: UTF8.self) }))
    }
    return parameters
  }

  private static func isKeyword(_ word: ArraySlice<UInt8>) -> Bool {
    guard let first = word.first, first != UInt8(ascii: "-") else { return false }
    return word.allSatisfy { byte in
      switch byte {
      case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "-"): true
      default: false
      }
    }
  }

  private static func isValue(_ word: ArraySlice<UInt8>) -> Bool {
    // RFC 6531, 3.3: the values of ORCPT may have characters beyond ASCII.
    !word.isEmpty && word.allSatisfy { $0 > 0x20 && $0 != 0x7F && $0 != UInt8(ascii: "=") }
      && String(validating: word, as: UTF8.self) != nil
  }
}
