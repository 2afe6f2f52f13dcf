extension JSONScanner {
  /// A string, from its opening quotation mark.
  mutating func string() throws(JSONSyntaxError) -> String {
    let start = index
    index += 1
    var run = index
    var text = ""
    while let octet = next {
      switch octet {
      case UInt8(ascii: "\""):
        text += self.text(run..<index)
        index += 1
        return text
      case UInt8(ascii: "\\"):
        text += self.text(run..<index)
        text.unicodeScalars.append(try escapeSequence())
        run = index
      case UInt8(ascii: "\n"), UInt8(ascii: "\r"):
        throw JSONSyntaxError(
          "a string that isn't closed on its line", #"close it with ", or write a line break as \n"#,
          at: position(of: start))
      case ..<0x20:
        throw JSONSyntaxError(
          octet == UInt8(ascii: "\t") ? "a tab inside a string" : "a control character inside a string",
          octet == UInt8(ascii: "\t") ? #"write it as \t"# : "take it out", at: position)
      default:
        index += 1
      }
    }
    throw JSONSyntaxError("a string that is never closed", #"close it with ""#, at: position(of: start))
  }

  /// What an escape stands for, from its backslash.
  private mutating func escapeSequence() throws(JSONSyntaxError) -> Unicode.Scalar {
    let start = index
    index += 1
    guard let letter = next else {
      throw JSONSyntaxError("a string that is never closed", #"close it with ""#, at: position(of: start))
    }
    index += 1
    switch letter {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(letter)
    case UInt8(ascii: "b"): return "\u{8}"
    case UInt8(ascii: "f"): return "\u{C}"
    case UInt8(ascii: "n"): return "\n"
    case UInt8(ascii: "r"): return "\r"
    case UInt8(ascii: "t"): return "\t"
    case UInt8(ascii: "u"): return try scalar(escapedAt: start)
    default:
      throw JSONSyntaxError(
        "a backslash that begins no escape", #"write a backslash itself as \\"#, at: position(of: start))
    }
  }

  /// What `\uXXXX`, or two of them, stand for; `\u` is taken already.
  private mutating func scalar(escapedAt start: Int) throws(JSONSyntaxError) -> Unicode.Scalar {
    let first = try fourHexDigits(escapedAt: start)
    if let scalar = Unicode.Scalar(first) { return scalar }
    if first < 0xDC00, octets[index...].starts(with: [UInt8(ascii: "\\"), UInt8(ascii: "u")]) {
      let secondStart = index
      index += 2
      let second = try fourHexDigits(escapedAt: secondStart)
      if 0xDC00..<0xE000 ~= second,
        let scalar = Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00))
      {
        return scalar
      }
    }
    throw JSONSyntaxError(
      "half a character: \\u\(String(first, radix: 16, uppercase: true)) stands without its other half",
      "write the character itself", at: position(of: start))
  }

  private mutating func fourHexDigits(escapedAt start: Int) throws(JSONSyntaxError) -> UInt32 {
    var value: UInt32 = 0
    for _ in 0..<4 {
      guard let octet = next, let digit = Character(Unicode.Scalar(octet)).hexDigitValue else {
        throw JSONSyntaxError(#"\u without four hexadecimal digits"#, nil, at: position(of: start))
      }
      value = value << 4 + UInt32(digit)
      index += 1
    }
    return value
  }

  /// A number as written, from its sign or first digit.
  mutating func number() throws(JSONSyntaxError) -> String {
    let start = index
    let end = numberEnd
    if let defect = Self.defect(ofNumber: octets[start..<end]) {
      throw JSONSyntaxError(defect.message, defect.remedy, at: position)
    }
    index = end
    return text(start..<end)
  }

  /// What keeps `octets` from being a number of RFC 8259 section 6.
  private static func defect(ofNumber octets: ArraySlice<UInt8>) -> (message: String, remedy: String?)? {
    var rest = octets[...]
    func digits() -> Int {
      let run = rest.prefix { UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 }.count
      rest = rest.dropFirst(run)
      return run
    }
    if rest.first == UInt8(ascii: "-") { rest = rest.dropFirst() }
    let leadingZero = rest.first == UInt8(ascii: "0")
    let integerDigits = digits()
    if integerDigits == 0 { return ("a minus sign without a digit after it", nil) }
    if leadingZero, integerDigits > 1 {
      return ("a number with a leading zero", "take the zero out, or write a text in double quotes")
    }
    if rest.first == UInt8(ascii: ".") {
      rest = rest.dropFirst()
      if digits() == 0 { return ("a number with no digit after its point", nil) }
    }
    if rest.first == UInt8(ascii: "e") || rest.first == UInt8(ascii: "E") {
      rest = rest.dropFirst()
      if rest.first == UInt8(ascii: "+") || rest.first == UInt8(ascii: "-") { rest = rest.dropFirst() }
      if digits() == 0 { return ("a number with no digit in its exponent", nil) }
    }
    return rest.isEmpty ? nil : ("a number with something else in it", "write a text in double quotes")
  }
}
