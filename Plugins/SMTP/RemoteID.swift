/// The id under which a server says it has queued a mail.
enum RemoteID {
  /// Postfix and Dovecot: `queued as ID`; Exim: `id=ID`; Gmail: `ID - gsmtp`; Exchange: `<ID>`.
  ///
  /// Octets, not characters: this runs for every mail.
  static func find(in reply: String) -> String? {
    let words = reply.utf8.split(separator: UInt8(ascii: " "))
    for (index, word) in words.enumerated() {
      if word.starts(with: "id=".utf8) { return String(word.dropFirst(3)) }
      if index > 0, index + 1 < words.count, word.elementsEqual("as".utf8),
        words[index - 1].elementsEqual("queued".utf8)
      {
        return String(words[index + 1])
      }
      if index > 1, word.elementsEqual("gsmtp".utf8), words[index - 1].elementsEqual("-".utf8) {
        return String(words[index - 2])
      }
      if word.first == UInt8(ascii: "<"), word.last == UInt8(ascii: ">") { return String(word) }
    }
    return nil
  }
}
