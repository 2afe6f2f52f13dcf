internal import FoundationEssentials
internal import GRDB

// GRDB knows octets as Foundation's Data alone.

/// Octets as an argument of a statement.
func blob(_ octets: [UInt8]) -> Data { Data(octets) }

/// The octets in a column, or `nil` for NULL.
func octets(_ row: Row, _ column: Int) -> [UInt8]? { (row[column] as Data?).map { [UInt8]($0) } }
