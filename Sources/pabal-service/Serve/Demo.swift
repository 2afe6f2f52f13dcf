import PabalCommand
import PabalCore
import PabalHTTP

extension CommandContext {
  /// What the page to try the service out needs; it can show what a file transport of the route wrote.
  func demo(_ transports: [CheckedTransport]) throws(CommandError) -> DemoDependencies {
    var directories: [String] = []
    for transport in transports where transport.plugin.name == "file" {
      guard let directory = transport.settings.first(where: { $0.key == "directory" }) else { continue }
      do throws(Diagnostic) {
        directories.append(try directory.fetch().text)
      } catch {
        throw CommandError(.configuration, [error])
      }
    }
    return DemoDependencies(language: configuration.messages?.language ?? "en") { [directories] id in
      // An id of ours is no path; the transport names its files by it.
      guard id.utf8.allSatisfy({ $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: ".") }) else { return nil }
      return directories.lazy.compactMap { try? readFile("\($0)/\(id).eml", atMost: 1 << 20) }.first
    }
  }
}
