internal import GRDB
internal import PabalCore

/// The statements on the table of what became of recipients.
enum RecipientMarkTable {
  /// Records a mark, in the place of an earlier one of the same recipient unless that says more. Returns
  /// whether it says anything new.
  @discardableResult
  static func add(_ mark: RecipientMark, to mail: Int64, in database: Database) throws -> Bool {
    let known = try marks(of: mail, in: database).first { $0.position == mark.position }
    guard known.map(mark.replaces) ?? true else { return false }
    try database.run(
      "INSERT OR REPLACE INTO mail_mark (mail, position, kind, status, sealed, at) VALUES (?, ?, ?, ?, ?, ?)",
      [mail, mark.position, mark.kind.rawValue, mark.status, mark.sealed, mark.at])
    return known?.kind != mark.kind || known?.status != mark.status
  }

  /// Returns the marks of a mail, by the recipients' place in the envelope.
  static func marks(of mail: Int64, in database: Database) throws -> [RecipientMark] {
    var marks: [RecipientMark] = []
    try database.run(
      "SELECT position, kind, status, sealed, at FROM mail_mark WHERE mail = ? ORDER BY position", [mail]
    ) { row in
      guard let kind = row.text(1).flatMap(RecipientMark.Kind.init), let sealed = row.bytes(3),
        let at = row.time(4)
      else { throw DatabaseError(resultCode: .SQLITE_CORRUPT) }
      marks.append(
        RecipientMark(position: row.count(0), kind: kind, status: row.text(2), sealed: sealed, at: at))
    }
    return marks
  }
}
