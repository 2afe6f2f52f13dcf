import ArgumentParser
import PabalCommand
import PabalCore
import PabalServer

/// `pabal suppress`: the addresses that get no bulk mail.
struct Suppress: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "suppress",
    abstract: "List, add or remove addresses that get no bulk mail.",
    discussion: """
      Mail of the lane bulk isn't sent to an address on the list: the mail ends as rejected for it, and is sent to its \
      other recipients. Codes and other mail are sent in any case; the log of `pabal serve` says so. \
      `pabal send` doesn't read the list.

      Examples:
        pabal suppress add kim@example.org
        pabal suppress list --addresses
        pabal suppress remove kim@example.org
      """,
    subcommands: [List.self, Add.self, Remove.self], defaultSubcommand: List.self)

  /// `pabal suppress list`.
  struct List: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "List the addresses, the newest first.",
      discussion: "Addresses are masked, unless --addresses is passed.")

    @Option(help: "The largest number of addresses to list.")
    var limit: Int = 100

    @Flag(help: "Show whole addresses.")
    var addresses = false

    @OptionGroup var common: CommonOptions

    func validate() throws {
      guard 1...1_000_000 ~= limit else { throw ValidationError("--limit must be from 1 to 1000000.") }
    }

    func run() throws {
      let limit = limit
      let (count, entries) = try CommandContext(common).withSuppressions { list throws(StorageError) in
        (try await list.count(), try await list.list(limit: limit))
      }
      let shown = entries.map { SuppressionOutput($0, isWhole: addresses) }
      if common.json {
        return try Terminal.printResult(json: SuppressionListing(count: count, suppressions: shown))
      }
      let lines = shown.map(\.line)
      let rest = count - shown.count
      let more = rest > 0 ? ["\(rest) more; pass --limit to list them"] : []
      Terminal.printResult(
        count == 0 ? "The suppression list is empty." : (lines + more).joined(separator: "\n"))
    }
  }

  /// `pabal suppress add`.
  struct Add: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Add addresses.", discussion: "An address that is on the list already stays as it is.")

    @Argument(help: "The addresses.")
    var addresses: [String]

    @OptionGroup var common: CommonOptions

    func run() throws {
      let addresses = try suppressedAddresses(addresses)
      let count = try CommandContext(common).withSuppressions { list throws(StorageError) in
        var count = 0
        for address in addresses where try await list.add(Suppression(address, added: .now())) { count += 1 }
        return count
      }
      try SuppressionChange(changed: count, asked: addresses.count).printResult("added", asJSON: common.json)
    }
  }

  /// `pabal suppress remove`.
  struct Remove: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Remove addresses, so that they get bulk mail again.",
      discussion: "The exit status is 65 if one of them isn't on the list; the others are removed.")

    @Argument(help: "The addresses.")
    var addresses: [String]

    @OptionGroup var common: CommonOptions

    func run() throws {
      let addresses = try suppressedAddresses(addresses)
      let count = try CommandContext(common).withSuppressions { list throws(StorageError) in
        var count = 0
        for address in addresses where try await list.remove(address) { count += 1 }
        return count
      }
      try SuppressionChange(changed: count, asked: addresses.count).printResult(
        "removed", asJSON: common.json)
      guard count == addresses.count else {
        if !common.json { Terminal.printError("pabal: the others aren't on the suppression list") }
        throw ExitStatus.input.exitCode
      }
    }
  }
}

/// Returns the addresses without duplicates. Throws if one isn't valid; then nothing is changed.
private func suppressedAddresses(_ texts: [String]) throws(CommandError) -> [Address] {
  var addresses: [Address] = []
  for text in texts {
    do throws(AddressError) {
      let address = try Address(text)
      if !addresses.contains(address) { addresses.append(address) }
    } catch {
      throw CommandError(.input, error.description, remedy: "write it like name@example.org")
    }
  }
  return addresses
}

extension CommandContext {
  /// Opens the suppression list and returns what `work` returns.
  fileprivate func withSuppressions<Value: Sendable>(
    _ work: @escaping @Sendable (SuppressionList) async throws(StorageError) -> Value
  ) throws(CommandError) -> Value {
    let storage = try storage()
    defer { storage.database.close() }
    return try blockingAwait { () throws(CommandError) in
      do throws(StorageError) {
        return try await work(storage.suppressions)
      } catch {
        throw CommandError(error)
      }
    }
  }
}

/// An address on the suppression list as the command prints it.
private struct SuppressionOutput: Encodable {
  let masked: String
  /// The whole address; only if it was asked for.
  let address: String?
  /// `manual` or `bounce`.
  let reason: String
  /// The status code of the bounce; null for other reasons.
  let code: OrNull<String>
  /// The id of the mail that came back.
  let mail: OrNull<String>
  let addedAt: String

  enum CodingKeys: String, CodingKey {
    case address = "address"
    case reason = "reason"
    case code = "code"
    case mail = "mail"
    case masked = "to_masked"
    case addedAt = "added_at"
  }

  init(_ entry: Suppression, isWhole: Bool) {
    masked = entry.address.masked
    address = isWhole ? entry.address.description : nil
    reason = entry.reason.rawValue
    code = OrNull(entry.status)
    mail = OrNull(entry.mail)
    addedAt = entry.added.text
  }

  var line: String {
    let details = [
      address ?? masked, "\(reason)\(code.value.map { " (\($0))" } ?? "")", mail.value.map { "mail \($0)" },
      "added \(addedAt)",
    ]
    return details.compactMap(\.self).joined(separator: "  ")
  }
}

private struct SuppressionListing: Encodable {
  let count: Int
  let suppressions: [SuppressionOutput]
}

/// The number of addresses that a command changed.
private struct SuppressionChange: Encodable {
  let changed: Int
  let asked: Int

  func printResult(_ verb: String, asJSON: Bool) throws {
    guard !asJSON else { return try Terminal.printResult(json: self) }
    Terminal.printResult("\(verb) \(changed) of \(asked)")
  }
}
