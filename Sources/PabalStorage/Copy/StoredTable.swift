internal import GRDB
internal import PabalCore

/// A table that has the same columns in SQLite and in PostgreSQL.
struct StoredTable: Sendable {
  /// The kind of a column's values.
  enum Kind: Sendable {
    case integer
    case text
    case bytes
    /// Stored as 0 or 1 in SQLite.
    case boolean
  }

  let name: String
  let columns: [(name: String, kind: Kind)]
  /// The columns by which rows are read in order.
  let order: String
  /// Whether the first column is a number that the database assigns.
  let isNumbered: Bool

  private init(
    _ name: String, isNumbered: Bool = false, integers: [String] = [], texts: [String] = [],
    bytes: [String] = [], booleans: [String] = [], order: String
  ) {
    self.name = name
    self.isNumbered = isNumbered
    self.order = order
    columns =
      integers.map { ($0, .integer) } + texts.map { ($0, .text) } + bytes.map { ($0, .bytes) }
      + booleans.map { ($0, .boolean) }
  }

  /// The tables with everything that an installation stores, apart from what identifies its database.
  static let all = [
    StoredTable(
      "mail", isNumbered: true,
      integers: [
        "number", "created", "not_after", "due", "attempts", "until", "ended", "failures", "unknowns",
      ],
      texts: [
        "id", "lane", "unknown", "family", "state", "owner", "wish", "hold", "transport", "outcome", "status",
        "caller", "report", "route",
      ], order: "number"),
    StoredTable("mail_content", integers: ["mail"], bytes: ["sealed"], order: "mail"),
    StoredTable("mail_recipient", integers: ["mail"], bytes: ["digest"], order: "mail, digest"),
    StoredTable(
      "mail_mark", integers: ["mail", "position", "at"], texts: ["kind", "status"], bytes: ["sealed"],
      order: "mail, position"),
    StoredTable(
      "mail_trace", integers: ["at"], texts: ["mail"], bytes: ["key", "recipients"], order: "key, mail"),
    StoredTable("mailbox", bytes: ["key", "cursor"], order: "key"),
    StoredTable(
      "transport",
      integers: ["failures", "closed_until", "closed_at", "probe_until", "held_since", "spent_until"],
      texts: ["name", "probe_owner"], bytes: ["cause"], order: "name"),
    StoredTable(
      "verification", isNumbered: true,
      integers: ["number", "generation", "attempts", "created", "renewed", "expires", "ended"],
      texts: ["id", "purpose", "caller", "state", "mail", "language"],
      bytes: ["identity", "mailbox", "recipient", "request", "code", "earlier", "proof"], order: "number"),
    StoredTable(
      "limit_note", integers: ["at"], texts: ["mail"], bytes: ["key"], booleans: ["refunds"],
      order: "key, at"),
    StoredTable("refund", integers: ["at"], texts: ["mail"], bytes: ["key"], order: "key"),
    StoredTable("failure", integers: ["count", "last"], bytes: ["key"], order: "key"),
    StoredTable("request", integers: ["at"], texts: ["made"], bytes: ["key", "payload"], order: "key"),
    StoredTable(
      "suppression", integers: ["added"], texts: ["reason", "status", "mail"], bytes: ["key", "sealed"],
      order: "key"),
  ]

  var columnList: String { columns.map(\.name).joined(separator: ", ") }
}

/// A row of a `StoredTable`, in the order of its columns.
struct StoredRow: Sendable {
  /// A value of a column.
  enum Value: Sendable {
    case null
    case integer(Int64)
    case text(String)
    case bytes([UInt8])

    var integer: Int64? { if case .integer(let value) = self { value } else { nil } }
    var text: String? { if case .text(let value) = self { value } else { nil } }
    var bytes: [UInt8]? { if case .bytes(let value) = self { value } else { nil } }
  }

  var values: [Value]
}
