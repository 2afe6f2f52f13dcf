internal import PabalCore
internal import PabalFormats

/// The checked text of a file in NFC and with normalized line ends, which maps indices to positions.
struct SourceText: Sendable {
  /// The file name for errors.
  let file: String
  /// The text, with LF line ends.
  let scalars: [Unicode.Scalar]
  private let lineStarts: [Int]
  /// The index of each scalar in the text as saved, and its length; `nil` if the file was in NFC already.
  private let savedIndexes: [Int]?

  /// The private-use scalars that stand for placeholders. Files can't contain them.
  static let placeholders: ClosedRange<UInt32> = 0xE000...0xF8FF

  /// Decodes UTF-8 with or without a byte order mark, with any line ends, and composed or not: macOS decomposes the
  /// Hangul in some files, where no particle and no word would be recognized.
  init(_ bytes: [UInt8], file: String) throws(Diagnostics) {
    self.file = file
    var scalars: [Unicode.Scalar] = []
    var lineStarts = [0]
    scalars.reserveCapacity(bytes.count)
    var issues: [Diagnostic] = []
    var position = SourcePosition(line: 1, column: 1)
    func issue(_ message: String, _ remedy: String) {
      issues.append(Diagnostic(message, remedy: remedy, file: file, position: position))
    }

    // Otherwise every second byte would be reported as an invisible character.
    if bytes.starts(with: [0xFF, 0xFE]) || bytes.starts(with: [0xFE, 0xFF]) || bytes.prefix(2).contains(0) {
      issue("the file is UTF-16 or UTF-32", "save it as UTF-8")
      throw Diagnostics(issues)
    }
    var parser = Unicode.UTF8.ForwardParser()
    var input = bytes.makeIterator()
    var afterReturn = false
    reading: while true {
      let scalar: Unicode.Scalar
      switch parser.parseScalar(from: &input) {
      case .valid(let encoded): scalar = Unicode.UTF8.decode(encoded)
      case .emptyInput: break reading
      case .error:
        issue("the file is not UTF-8 from here on", "save it again with UTF-8 encoding")
        break reading
      }
      defer { afterReturn = scalar == "\r" }
      if scalar == "\n" && afterReturn { continue }
      if scalar == "\u{FEFF}" && scalars.isEmpty { continue }
      if scalar == "\n" || scalar == "\r" {
        scalars.append("\n")
        lineStarts.append(scalars.count)
        position = SourcePosition(line: position.line + 1, column: 1)
        continue
      }
      if SourceText.isForbidden(scalar) {
        issue("the invisible character \(scalar.codePoint)", "remove it")
      } else if SourceText.placeholders.contains(scalar.value) {
        issue(
          "the private-use character \(scalar.codePoint), which mail programs may not display",
          "use another character")
      }
      scalars.append(scalar)
      position.column += 1
    }
    if !issues.isEmpty { throw Diagnostics(issues) }
    if let (composed, savedIndexes) = SourceText.composing(scalars) {
      self.scalars = composed
      self.savedIndexes = savedIndexes
      self.lineStarts = [0] + composed.indices.filter { composed[$0] == "\n" }.map { $0 + 1 }
    } else {
      self.scalars = scalars
      self.savedIndexes = nil
      self.lineStarts = lineStarts
    }
  }

  /// Returns the text in NFC with the index in `scalars` of each of its scalars, followed by the length of `scalars`;
  /// `nil` if the text is in NFC already.
  private static func composing(_ scalars: [Unicode.Scalar]) -> ([Unicode.Scalar], [Int])? {
    guard scalars.contains(where: UnicodeComposition.mayChange) else { return nil }
    var composed: [Unicode.Scalar] = []
    var savedIndexes: [Int] = []
    var start = 0
    // What composes is always within one grapheme cluster.
    for cluster in String(scalars: scalars) {
      let length = cluster.unicodeScalars.count
      let parts = String(cluster).composed.unicodeScalars
      for (number, scalar) in parts.enumerated() {
        composed.append(scalar)
        savedIndexes.append(start + min(number, length - 1))
      }
      start += length
    }
    guard composed != scalars else { return nil }
    return (composed, savedIndexes + [scalars.count])
  }

  private static func isForbidden(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x09: false
    case 0x00...0x1F, 0x7F...0x9F, 0x2028, 0x2029: true
    default: false
    }
  }

  /// Returns the position of the scalar at `index`.
  func position(at index: Int) -> SourcePosition {
    var low = 0
    var high = lineStarts.count
    while high - low > 1 {
      let middle = (low + high) / 2
      if lineStarts[middle] <= index { low = middle } else { high = middle }
    }
    let column =
      savedIndexes.map { $0[min(index, $0.count - 1)] - $0[lineStarts[low]] } ?? index - lineStarts[low]
    return SourcePosition(line: low + 1, column: column + 1)
  }
}

extension Unicode.Scalar {
  /// The scalar in the notation `U+00A0`.
  var codePoint: String {
    let digits = String(value, radix: 16, uppercase: true)
    return "U+" + String(repeating: "0", count: max(0, 4 - digits.count)) + digits
  }
}

extension String {
  /// Creates a string from scalars.
  init(scalars: some Collection<Unicode.Scalar>) {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(scalars.underestimatedCount * 2)
    for scalar in scalars {
      if scalar.value < 0x80 {
        bytes.append(UInt8(truncatingIfNeeded: scalar.value))
      } else {
        bytes.append(contentsOf: scalar.utf8)
      }
    }
    self = String(decoding: bytes, as: UTF8.self)
  }
}
