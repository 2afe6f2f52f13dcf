/// How to connect to a PostgreSQL database.
public struct PostgreSQLSettings: Sendable {
  /// Parameters of libpq in order, such as `("host", "a,b")`, `("dbname", "pabal")`, `("sslmode", "verify-full")`.
  public var parameters: [(keyword: String, value: String)]
  /// Parameters for the listening connection, if it has an address of its own.
  public var listener: [(keyword: String, value: String)]?
  /// The number of connections, at least 2.
  public var connections: Int
  /// The address for errors, without user and password.
  public var place: String

  /// Settings with these parameters.
  public init(
    parameters: [(keyword: String, value: String)], listener: [(keyword: String, value: String)]? = nil,
    connections: Int = 4, place: String
  ) {
    self.parameters = parameters
    self.listener = listener
    self.connections = connections
    self.place = place
  }
}
