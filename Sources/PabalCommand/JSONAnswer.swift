import FoundationEssentials
import Synchronization

extension Terminal {
  /// From now on each answer for a program is one line, as whoever follows a log reads.
  package static func printJSONAsLines() { printsJSONAsLines.withLock { $0 = true } }

  private static let printsJSONAsLines = Mutex(false)

  /// Writes an answer for a program: one JSON value, keys sorted.
  package static func printResult(json value: some Encodable) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    if !printsJSONAsLines.withLock({ $0 }) { encoder.outputFormatting.insert(.prettyPrinted) }
    write(Array(try encoder.encode(value)) + [UInt8(ascii: "\n")])
  }
}
