internal import CPabalPostgreSQL
internal import Glibc
internal import PabalCore

/// A connection to a server, which runs statements in pipeline mode.
///
/// Unchecked because libpq permits the use of a connection by one thread at a time only, which `PostgreSQLPool` ensures.
final class PostgreSQLConnection: @unchecked Sendable {
  private let connection: OpaquePointer
  private(set) var isLost = false
  /// How often it waited for the server since it was opened.
  private(set) var roundTrips = 0

  /// How long the server may take to answer before the connection counts as lost: longer than any statement of Pabal.
  private static let answerTimeout: Int32 = 30_000

  /// Connects with these parameters of libpq. Blocks, for at most `connect_timeout` seconds for each host.
  init(_ parameters: [(keyword: String, value: String)]) throws(PostgreSQLError) {
    guard pabal_pq_load() == 1 else {
      throw PostgreSQLError(
        kind: .statement, error: .refused("libpq.so.5 can't be loaded; install the package libpq5"))
    }
    let keywords = parameters.map { strdup($0.keyword) }
    let values = parameters.map { strdup($0.value) }
    defer { for text in keywords + values { free(text) } }
    var keywordPointers = keywords.map { UnsafePointer($0) } + [nil]
    var valuePointers = values.map { UnsafePointer($0) } + [nil]
    guard let connection = pabal_pq_connect(&keywordPointers, &valuePointers) else {
      throw .lost("out of memory")
    }
    self.connection = connection
    // After an error, `deinit` ends the connection.
    guard pabal_pq_status(connection) == CONNECTION_OK else { throw Self.connectError(connection) }
    guard pabal_pq_enter_pipeline(connection) == 1 else { throw .lost("pipeline mode isn't possible") }
  }

  deinit { pabal_pq_finish(connection) }

  /// The version of the server, such as 150020 for 15.20.
  var serverVersion: Int { Int(pabal_pq_server_version(connection)) }

  /// The file descriptor of the connection.
  var socket: Int32 { pabal_pq_socket(connection) }

  /// Runs statements in one round trip and returns their results. Without a transaction that an earlier call began, they
  /// are one transaction of their own.
  ///
  /// The first error undoes all of them, and the rest isn't run.
  @discardableResult
  func run(_ statements: [PostgreSQLStatement]) throws(PostgreSQLError) -> [PostgreSQLRows] {
    guard !isLost else { throw .lost("the connection is closed") }
    do throws(PostgreSQLError) {
      for statement in statements { try send(statement) }
      guard pabal_pq_sync(connection) == 1 else { throw broken() }
      try flush()
      roundTrips += 1
      return try results(of: statements.count)
    } catch {
      if error.kind == .connection { isLost = true }
      throw error
    }
  }

  private func send(_ statement: PostgreSQLStatement) throws(PostgreSQLError) {
    let count = statement.values.count
    let types = statement.values.map { Oid($0.type) }
    let lengths = statement.values.map { Int32($0.bytes?.count ?? 0) }
    // One buffer for all values, because each needs an address until the statement is sent.
    var buffer: [CChar] = []
    buffer.reserveCapacity(lengths.reduce(1) { $0 + Int($1) })
    var offsets: [Int?] = []
    for value in statement.values {
      offsets.append(value.bytes == nil ? nil : buffer.count)
      if let bytes = value.bytes { bytes.withUnsafeBytes { buffer += $0.bindMemory(to: CChar.self) } }
    }
    // An empty value needs an address as well, since a null pointer is NULL.
    buffer.append(0)
    let isSent = buffer.withUnsafeBufferPointer { buffer in
      let pointers: [UnsafePointer<CChar>?] = offsets.map { offset in
        offset.flatMap { buffer.baseAddress?.advanced(by: $0) }
      }
      return pabal_pq_send(connection, statement.sql, Int32(count), types, pointers, lengths) == 1
    }
    guard isSent else { throw broken() }
  }

  /// Writes what is buffered, and reads meanwhile, because the server stops reading while its own answers aren't read.
  private func flush() throws(PostgreSQLError) {
    while true {
      let rest = pabal_pq_flush(connection)
      if rest == 0 { return }
      guard rest == 1 else { throw broken() }
      let events = try wait(for: Int16(POLLIN | POLLOUT))
      if events & Int16(POLLIN | POLLHUP | POLLERR) != 0, pabal_pq_consume(connection) != 1 { throw broken() }
    }
  }

  private func results(of count: Int) throws(PostgreSQLError) -> [PostgreSQLRows] {
    var results: [PostgreSQLRows] = []
    results.reserveCapacity(count)
    var failure: PostgreSQLError?
    while true {
      guard let result = try nextResult() else {
        // A null pointer ends the results of one statement.
        continue
      }
      defer { pabal_pq_clear(result) }
      switch pabal_pq_result_status(result) {
      case PGRES_PIPELINE_SYNC:
        if let failure { throw failure }
        guard results.count == count else { throw .lost("an answer is missing") }
        return results
      case PGRES_TUPLES_OK, PGRES_COMMAND_OK: results.append(Self.rows(result))
      case PGRES_PIPELINE_ABORTED: break
      default:
        let code = pabal_pq_result_code(result).map { String(cString: $0) }
        let message = pabal_pq_result_message(result).map { String(cString: $0) } ?? ""
        guard let code else { throw broken() }
        if failure == nil { failure = PostgreSQLError(state: code, message: printable(message)) }
        // The server ends the connection without a sync.
        if failure?.kind == .connection, pabal_pq_status(connection) != CONNECTION_OK, let failure {
          throw failure
        }
      }
    }
  }

  private func nextResult() throws(PostgreSQLError) -> OpaquePointer? {
    while pabal_pq_is_busy(connection) == 1 {
      _ = try wait(for: Int16(POLLIN))
      guard pabal_pq_consume(connection) == 1 else { throw broken() }
    }
    let result = pabal_pq_result(connection)
    if result == nil, pabal_pq_status(connection) != CONNECTION_OK { throw broken() }
    return result
  }

  private func wait(for events: Int16) throws(PostgreSQLError) -> Int16 {
    var descriptor = pollfd(fd: socket, events: events, revents: 0)
    while true {
      let ready = poll(&descriptor, 1, Self.answerTimeout)
      if ready > 0 { return descriptor.revents }
      guard ready < 0, errno == EINTR else {
        throw .lost(ready == 0 ? "the server didn't answer for 30 seconds" : "the connection failed")
      }
    }
  }

  private func broken() -> PostgreSQLError {
    .lost(Self.message(connection))
  }

  private static func rows(_ result: OpaquePointer) -> PostgreSQLRows {
    let count = Int(pabal_pq_row_count(result))
    var rows = PostgreSQLRows()
    rows.count = pabal_pq_changed(result).flatMap { Int(String(cString: $0)) } ?? count
    guard count > 0 else { return rows }
    let columns = pabal_pq_column_count(result)
    rows.rows.reserveCapacity(count)
    for row in 0..<Int32(count) {
      rows.rows.append(
        PostgreSQLRow(
          columns: (0..<columns).map { column -> [UInt8]? in
            guard pabal_pq_is_null(result, row, column) == 0 else { return nil }
            let length = Int(pabal_pq_length(result, row, column))
            guard let value = pabal_pq_value(result, row, column) else { return [] }
            return Array(UnsafeRawBufferPointer(start: value, count: length))
          }))
    }
    return rows
  }

  private static func connectError(_ connection: OpaquePointer) -> PostgreSQLError {
    if pabal_pq_password_needed(connection) == 1 {
      return PostgreSQLError(kind: .connection, error: .refused("the server asks for a password"))
    }
    let message = message(connection)
    // libpq doesn't keep the SQLSTATE of a failed login.
    let isRefusal =
      message.contains("FATAL:") && !message.contains("starting up") && !message.contains("shutting down")
      && !message.contains("too many") && !message.contains("slots are reserved")
      && !message.contains("recovery") && !message.contains("terminating")
    return PostgreSQLError(kind: .connection, error: isRefusal ? .refused(message) : .unreachable(message))
  }

  /// The last error of the connection, in one line.
  private static func message(_ connection: OpaquePointer) -> String {
    guard let text = pabal_pq_error_message(connection) else { return "no reason" }
    let line = String(cString: text).split(whereSeparator: \.isNewline)
      .map { $0.drop { $0.isWhitespace } }.joined(separator: "; ")
    // A URI has the password.
    return line.isEmpty || line.contains("://") ? "the connection was lost" : printable(line)
  }
}

extension PostgreSQLConnection {
  /// Returns the payloads of the notifications that have arrived, after waiting for up to `milliseconds`; `nil` if the
  /// connection is lost.
  func notifications(within milliseconds: Int32) -> [String]? {
    var descriptor = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
    guard poll(&descriptor, 1, milliseconds) >= 0 || errno == EINTR, pabal_pq_consume(connection) == 1 else {
      isLost = true
      return nil
    }
    var payloads: [String] = []
    while let notification = pabal_pq_notification(connection) {
      payloads.append(String(cString: notification.pointee.extra))
      pabal_pq_free(notification)
    }
    return payloads
  }
}
