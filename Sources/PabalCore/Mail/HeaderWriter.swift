/// Writes header fields, folded to lines of at most 78 bytes (RFC 5322, 2.1.1).
struct HeaderWriter: ~Copyable {
  private var bytes: [UInt8]
  private var lineStart = 0

  init(capacity: Int) {
    bytes = []
    bytes.reserveCapacity(capacity)
  }

  /// Returns the bytes written so far and ends the writer.
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

  /// Appends a field with a generated value: printable ASCII that fits on one line or can't be folded.
  mutating func append(_ name: String, token: String) {
    startField(name)
    append(word: token.utf8Span.span)
    fold()
  }

  /// Appends an unstructured field.
  mutating func append(_ name: String, _ content: HeaderText) {
    startField(name)
    let text = content.text.utf8Span.span
    var firstWord = 0
    while firstWord < text.count, text[firstWord] != UInt8(ascii: " ") { firstWord += 1 }
    // Don't fold before the first word, because many readers treat that fold as part of the text.
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

  /// Appends an address field; does nothing if `mailboxes` is empty.
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

  /// Appends a display name: as atoms if possible, else quoted if it fits on one line, else as encoded words.
  private mutating func append(phrase name: HeaderText) {
    let text = name.text.utf8Span.span
    guard isPlain(text), text.count <= 70 else { return append(encoded: name) }
    var areAtoms = true
    var quotedLength = text.count + 2
    var previous = UInt8(ascii: " ")
    for i in text.indices {
      let byte = text[i]
      // Two consecutive spaces would collapse into one in a phrase.
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

  /// Whether the text needs no encoding: ASCII that doesn't look like an encoded word, has no space at either end,
  /// and can be folded into lines of 78 bytes.
  private func isPlain(_ text: Span<UInt8>) -> Bool {
    guard text.count > 0 else { return true }
    guard text[0] != UInt8(ascii: " "), text[text.count - 1] != UInt8(ascii: " ") else { return false }
    var run = 1
    var wordStart = true
    for i in text.indices {
      let byte = text[i]
      guard byte < 0x80 else { return false }
      if byte == UInt8(ascii: "?"), i > 0, text[i - 1] == UInt8(ascii: "=") { return false }
      // A run is a sequence of spaces and the word after it; it can't be folded further.
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

// These replace `append(contentsOf: text.utf8)`, which retains and copies through the runtime; one mail takes about
// a hundred appends.
extension [UInt8] {
  /// Appends a static ASCII text.
  mutating func append(ascii text: StaticString) {
    append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
  }

  /// Appends the UTF-8 of `text`.
  mutating func append(text: String) {
    text.utf8Span.span.withUnsafeBufferPointer { append(contentsOf: $0) }
  }
}
