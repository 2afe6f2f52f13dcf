import PabalCore

extension Mail {
  /// The mail as a person reads it on a terminal: its envelope, its main header fields and its text, decoded.
  var readableText: String {
    let sender = envelope.sender?.description ?? "<>"
    var lines = ["Envelope: \(sender) to \(envelope.recipients.map(\.description).joined(separator: ", "))"]
    guard let decoded = DecodedMail(bytes) else { return lines[0] }
    let fields = [
      ("From", decoded.from), ("To", decoded.to), ("Cc", decoded.cc), ("Reply-To", decoded.replyTo),
      ("Subject", decoded.subject), ("Date", decoded.date),
    ]
    for (name, value) in fields where !value.isEmpty { lines.append("\(name): \(value)") }
    lines = lines.map { printable($0) }
    let body =
      decoded.text.map { printable($0, lines: true) }
      ?? decoded.html.map { "(no text part; the HTML part has \($0.utf8.count) bytes)" } ?? "(no text part)"
    lines += ["", body.hasSuffix("\n") ? String(body.dropLast()) : body]
    return lines.joined(separator: "\n")
  }
}
