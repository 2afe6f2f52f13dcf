/// Appends header fields to a mail's bytes, folded so that lines have at most 78 bytes (RFC 5322, 2.1.1).
struct HeaderWriter: ~Copyable {
  private var bytes: [UInt8]
  private var lineStart = 0

  init(capacity: Int) {
    bytes = []
    bytes.reserveCapacity(capacity)
  }

  /// The bytes, for more to follow.
  consuming func finished() -> [UInt8] { bytes }

  private var column: Int { bytes.count - lineStart }

  private mutating func fold() {
    bytes.append(ascii: "\r\n")
    lineStart = bytes.count
  }

  private mutating func startField(_ name: String) {
    lineStart = bytes.count
    bytes.append(text: name)
    bytes.append(UInt8(ascii: ":"))
  }

  /// A field that Pabal itself wrote: printable ASCII that fits one line, or has no place to fold.
  mutating func append(_ name: String, token: String) {
    startField(name)
    append(word: token.utf8Span.span)
    fold()
  }

  /// An unstructured field.
  mutating func append(_ name: String, _ content: HeaderText) {
    startField(name)
    let text = content.text.utf8Span.span
    var firstWord = 0
    while firstWord < text.count, text[firstWord] != UInt8(ascii: " ") { firstWord += 1 }
    // Many readers take the fold for a part of the text when it stands before the first word.
    if isPlain(text), column + 1 + firstWord <= 78 {
      append(plain: text)
    } else {
      append(encoded: content)
    }
    fold()
  }

  mutating func append(_ field: HeaderField) {
    guard field.isVerbatim else { return append(field.name, field.content) }
    startField(field.name)
    append(plain: field.value.utf8Span.span)
    fold()
  }

  /// An address field; nothing where there are no mailboxes.
  mutating func append(_ name: String, _ mailboxes: [Mailbox]) {
    guard !mailboxes.isEmpty else { return }
    startField(name)
    for (i, mailbox) in mailboxes.enumerated() {
      append(mailbox, isLast: i == mailboxes.count - 1)
    }
    fold()
  }

  private mutating func append(_ mailbox: Mailbox, isLast: Bool) {
    let address = mailbox.address.description.utf8Span.span
    guard let name = mailbox.content else {
      append(word: address, reserving: 1)
      if !isLast { bytes.append(UInt8(ascii: ",")) }
      return
    }
    append(phrase: name)
    if column + address.count + 4 > 78 { fold() }
    bytes.append(ascii: " <")
    append(address)
    bytes.append(UInt8(ascii: ">"))
    if !isLast { bytes.append(UInt8(ascii: ",")) }
  }

  /// A display name: atoms as they are, else between quotes if that fits one line, else encoded words.
  private mutating func append(phrase name: HeaderText) {
    let text = name.text.utf8Span.span
    guard isPlain(text), text.count <= 70 else { return append(encoded: name) }
    var areAtoms = true
    var quotedLength = text.count + 2
    var previous = UInt8(ascii: " ")
    for i in text.indices {
      let byte = text[i]
      // Two spaces together are one in a phrase.
      areAtoms = areAtoms && (isAtomText(byte) || byte == UInt8(ascii: " ") && previous != byte)
      if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { quotedLength += 1 }
      previous = byte
    }
    if areAtoms { return append(plain: text) }
    guard quotedLength <= 74 else { return append(encoded: name) }
    if column + 1 + quotedLength > 78 { fold() }
    bytes.append(ascii: " \"")
    for i in text.indices {
      if text[i] == UInt8(ascii: "\"") || text[i] == UInt8(ascii: "\\") { bytes.append(UInt8(ascii: "\\")) }
      bytes.append(text[i])
    }
    bytes.append(UInt8(ascii: "\""))
  }

  /// Whether the text can stand as it is: ASCII that no decoder takes for an encoded word, that keeps its
  /// spaces when a reader trims the ends, and that folds into lines of 78.
  private func isPlain(_ text: Span<UInt8>) -> Bool {
    guard text.count > 0 else { return true }
    guard text[0] != UInt8(ascii: " "), text[text.count - 1] != UInt8(ascii: " ") else { return false }
    var run = 1
    var wordStart = true
    for i in text.indices {
      let byte = text[i]
      guard byte < 0x80 else { return false }
      if byte == UInt8(ascii: "?"), i > 0, text[i - 1] == UInt8(ascii: "=") { return false }
      // A run is some spaces and the word after them: a line of its own at worst.
      if byte == UInt8(ascii: " ") {
        if !wordStart { run = 0 }
        wordStart = true
      } else {
        wordStart = false
      }
      run += 1
      guard run <= 78 else { return false }
    }
    return true
  }

  private mutating func append(plain text: Span<UInt8>) {
    bytes.reserveCapacity(bytes.count + text.count + 8)
    var start = 0
    while start < text.count {
      var end = start
      while end < text.count, text[end] == UInt8(ascii: " ") { end += 1 }
      while end < text.count, text[end] != UInt8(ascii: " ") { end += 1 }
      let isFirst = start == 0
      if column + (isFirst ? 1 : 0) + end - start > 78 { fold() }
      if isFirst { bytes.append(UInt8(ascii: " ")) }
      append(text.extracting(start..<end))
      start = end
    }
  }

  private mutating func append(word: Span<UInt8>, reserving reserved: Int = 0) {
    if column + 1 + word.count + reserved > 78 { fold() }
    bytes.append(UInt8(ascii: " "))
    append(word)
  }

  private mutating func append(_ span: Span<UInt8>) {
    span.withUnsafeBufferPointer { bytes.append(contentsOf: $0) }
  }

  private mutating func append(encoded content: HeaderText) {
    var words = EncodedWordEncoder(content.text, column: column)
    while let word = words.next() {
      if word.beginsLine { fold() }
      bytes.append(UInt8(ascii: " "))
      words.append(word, to: &bytes)
    }
  }
}

// `append(contentsOf: text.utf8)` counts references and copies by way of the runtime; a mail is a hundred of them.
extension [UInt8] {
  /// Appends text that the program itself holds.
  mutating func append(ascii text: StaticString) {
    append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
  }

  /// Appends a text's UTF-8.
  mutating func append(text: String) {
    text.utf8Span.span.withUnsafeBufferPointer { append(contentsOf: $0) }
  }
}
