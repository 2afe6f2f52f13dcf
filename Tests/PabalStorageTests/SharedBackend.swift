import PabalCore
import PabalStorage
import PabalTesting
import Testing

/// The databases that several processes can share.
enum SharedBackend: String, CaseIterable, CustomTestStringConvertible {
  case sqlite, postgresql

  static let allCases: [SharedBackend] = [.sqlite] + (PostgreSQLServer.isAvailable ? [.postgresql] : [])

  var testDescription: String { rawValue }

  /// Runs `body` with a folder and the argument by which the test programs find a new database, which is deleted afterwards.
  func withDatabase<Value>(
    _ body: (TemporaryDirectory, String) async throws -> Value
  ) async throws -> Value {
    let folder = try TemporaryDirectory()
    switch self {
    case .sqlite: return try await body(folder, "\(folder.path)/pabal.sqlite")
    case .postgresql:
      return try await withPostgreSQL { settings in
        try await body(
          folder, settings.parameters.map { "\($0.keyword)=\($0.value)" }.joined(separator: " "))
      }
    }
  }

  /// Opens the database with this argument.
  func open(_ argument: String, keyCheck: [UInt8]) throws -> any StorageDatabase {
    switch self {
    case .sqlite: try SQLiteDatabase(argument, keyCheck: keyCheck)
    case .postgresql: try PostgreSQLDatabase(settings(argument), keyCheck: keyCheck)
    }
  }

  /// Opens the database with this argument.
  func open(_ argument: String, keys: Keyring) throws -> any StorageDatabase {
    switch self {
    case .sqlite: try SQLiteDatabase(argument, keys: keys)
    case .postgresql: try PostgreSQLDatabase(settings(argument), keys: keys)
    }
  }

  private func settings(_ argument: String) -> PostgreSQLSettings {
    PostgreSQLSettings(
      parameters: argument.split(separator: " ").map { word in
        let parts = word.split(separator: "=", maxSplits: 1)
        return (String(parts[0]), String(parts[parts.count - 1]))
      }, place: "postgresql://test")
  }
}
