internal import PabalCore

/// A parameter of a statement, in PostgreSQL's binary format.
///
/// All integers are `bigint`, so that a statement's types don't depend on its values.
struct PostgreSQLValue: Sendable {
  /// The object id of its type.
  let type: UInt32
  /// The encoded value; `nil`: NULL.
  let bytes: [UInt8]?

  private enum TypeID {
    static let bytea: UInt32 = 17
    static let bigint: UInt32 = 20
    static let text: UInt32 = 25
    static let boolean: UInt32 = 16
    static let byteaArray: UInt32 = 1001
    static let textArray: UInt32 = 1009
    static let bigintArray: UInt32 = 1016
    static let booleanArray: UInt32 = 1000
  }

  static func int(_ value: Int64?) -> PostgreSQLValue {
    PostgreSQLValue(type: TypeID.bigint, bytes: value.map { $0.bigEndianBytes })
  }
  static func int(_ value: Int) -> PostgreSQLValue { int(Int64(value)) }
  static func time(_ value: Timestamp?) -> PostgreSQLValue { int(value?.milliseconds) }
  static func text(_ value: String?) -> PostgreSQLValue {
    PostgreSQLValue(type: TypeID.text, bytes: value.map { Array($0.utf8) })
  }
  static func bytes(_ value: [UInt8]?) -> PostgreSQLValue {
    PostgreSQLValue(type: TypeID.bytea, bytes: value)
  }
  static func bool(_ value: Bool) -> PostgreSQLValue {
    PostgreSQLValue(type: TypeID.boolean, bytes: [value ? 1 : 0])
  }

  static func ints(_ values: [Int64?]) -> PostgreSQLValue {
    array(TypeID.bigintArray, of: TypeID.bigint, values.map { $0?.bigEndianBytes })
  }
  static func ints(_ values: [Int]) -> PostgreSQLValue { ints(values.map { Int64($0) }) }
  static func times(_ values: [Timestamp?]) -> PostgreSQLValue { ints(values.map { $0?.milliseconds }) }
  static func texts(_ values: [String?]) -> PostgreSQLValue {
    array(TypeID.textArray, of: TypeID.text, values.map { $0.map { Array($0.utf8) } })
  }
  static func bytes(_ values: [[UInt8]?]) -> PostgreSQLValue {
    array(TypeID.byteaArray, of: TypeID.bytea, values)
  }
  static func bools(_ values: [Bool]) -> PostgreSQLValue {
    array(TypeID.booleanArray, of: TypeID.boolean, values.map { [$0 ? 1 : 0] })
  }

  // The format of array_recv: the number of dimensions, whether there are NULLs, the element type, and for the only
  // dimension its size and lower bound; then each element with its length, or -1 for NULL.
  private static func array(_ type: UInt32, of element: UInt32, _ values: [[UInt8]?]) -> PostgreSQLValue {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(20 + values.reduce(0) { $0 + 4 + ($1?.count ?? 0) })
    func append(_ number: Int) { bytes += UInt32(bitPattern: Int32(number)).bigEndianBytes }
    append(values.isEmpty ? 0 : 1)
    append(values.contains { $0 == nil } ? 1 : 0)
    append(Int(element))
    if !values.isEmpty {
      append(values.count)
      append(1)
      for value in values {
        append(value?.count ?? -1)
        if let value { bytes += value }
      }
    }
    return PostgreSQLValue(type: type, bytes: bytes)
  }
}

extension FixedWidthInteger {
  fileprivate var bigEndianBytes: [UInt8] { withUnsafeBytes(of: bigEndian, Array.init) }
}

/// A statement with its parameters, at most 64.
struct PostgreSQLStatement: Sendable {
  /// One SQL statement. It must be constant or built of constants, never of values.
  let sql: String
  /// The values of `$1`, `$2`, …
  let values: [PostgreSQLValue]

  init(_ sql: String, _ values: [PostgreSQLValue] = []) {
    self.sql = sql
    self.values = values
  }
}

/// The result of one statement.
struct PostgreSQLRows: Sendable {
  /// The rows that it returned.
  var rows: [PostgreSQLRow] = []
  /// How many rows it changed or returned.
  var count = 0
}

/// A row, whose columns are read in PostgreSQL's binary format.
struct PostgreSQLRow: Sendable {
  let columns: [[UInt8]?]

  /// Returns an integer; 0 for NULL.
  func number(_ column: Int) -> Int64 { optionalNumber(column) ?? 0 }
  /// Returns an integer; `nil` for NULL.
  func optionalNumber(_ column: Int) -> Int64? {
    columns[column].map { bytes in
      // Numbers of two, four and eight bytes, with sign.
      bytes.reduce(bytes.first.map { $0 >= 0x80 ? -1 : 0 } ?? 0) { $0 << 8 | Int64($1) }
    }
  }
  func count(_ column: Int) -> Int { Int(number(column)) }
  func time(_ column: Int) -> Timestamp? { optionalNumber(column).map { Timestamp(milliseconds: $0) } }
  func text(_ column: Int) -> String? { columns[column].map { String(decoding: $0, as: UTF8.self) } }
  func bytes(_ column: Int) -> [UInt8]? { columns[column] }
  func bool(_ column: Int) -> Bool { columns[column]?.first == 1 }
}
