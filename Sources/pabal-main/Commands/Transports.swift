import ArgumentParser
import PabalCommand
import PabalCore

/// `pabal transports`: the configured transports and the installed plugins.
struct Transports: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "transports", abstract: "List transports and plugins, or show the settings of one.",
    discussion: """
      Examples:
        pabal transports
        pabal transports show file
      """,
    subcommands: [List.self, Show.self], defaultSubcommand: List.self)
}

extension Transports {
  /// `pabal transports list`.
  struct List: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "list",
      abstract: "List the transports in config.json, those in use first, and the installed plugins.")

    @OptionGroup var common: CommonOptions

    private struct Listing: Encodable {
      struct Transport: Encodable {
        let name: String
        let plugin: String
        /// The position in the route, from 1; null if the transport isn't in it.
        let place: OrNull<Int>
        /// The keys of the other routes that it is in; only if there are any.
        let routes: [String]?

        enum CodingKeys: String, CodingKey {
          case name = "name"
          case plugin = "plugin"
          case place = "place"
          case routes = "routes"
        }
      }
      struct Plugin: Encodable {
        let name: String
        let version: OrNull<String>
        let summary: OrNull<String>
        let path: OrNull<String>
        let problem: OrNull<String>

        enum CodingKeys: String, CodingKey {
          case name = "name"
          case version = "version"
          case summary = "summary"
          case path = "path"
          case problem = "problem"
        }
      }
      let transports: [Transport]
      let plugins: [Plugin]

      enum CodingKeys: String, CodingKey {
        case transports = "transports"
        case plugins = "plugins"
      }
    }

    func run() throws {
      let context = try CommandContext(common)
      let route = try context.transports([]).map(\.name)
      let special = context.configuration.specialRoutes
      var transports: [Listing.Transport] = context.configuration.transports.map { transport in
        let place = route.firstIndex(of: transport.name).map { $0 + 1 }
        let routes = special.filter { $0.transports.contains(transport.name) }.map(\.key)
        return Listing.Transport(
          name: transport.name, plugin: transport.plugin, place: OrNull(place),
          routes: routes.isEmpty ? nil : routes)
      }
      transports.sort { a, b in (a.place.value ?? .max, a.name) < (b.place.value ?? .max, b.name) }
      let plugins = context.loader.names().map { name in
        do throws(Diagnostic) {
          let plugin = try context.loader.load(name)
          return Listing.Plugin(
            name: name, version: OrNull(plugin.version), summary: OrNull(plugin.summary),
            path: OrNull(plugin.path), problem: OrNull(nil))
        } catch {
          return Listing.Plugin(
            name: name, version: OrNull(nil), summary: OrNull(nil), path: OrNull(error.file),
            problem: OrNull(error.message))
        }
      }
      if common.json {
        try Terminal.printResult(json: Listing(transports: transports, plugins: plugins))
        return
      }
      Terminal.printResult("Transports in \(context.configuration.file):")
      for transport in transports {
        let mark = transport.place.value.map { route.count > 1 ? "\($0)." : "→" } ?? " "
        let routes = transport.routes.map { ", for \($0.joined(separator: ", "))" } ?? ""
        Terminal.printResult("  \(mark) \(transport.name) (plugin \(transport.plugin)\(routes))")
      }
      Terminal.printResult("Plugins:")
      for plugin in plugins {
        let text = plugin.summary.value ?? "can't be used: \(plugin.problem.value ?? "")"
        Terminal.printResult("  \(plugin.name) \(plugin.version.value.map { "(\($0))" } ?? ""): \(text)")
      }
    }
  }

  /// `pabal transports show`.
  struct Show: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "show", abstract: "Show the settings of a transport or plugin.")

    @Argument(help: "A transport in config.json, the name of a plugin, or a path to a .so file.")
    var name: String

    @OptionGroup var common: CommonOptions

    private struct PluginOutput: Encodable {
      struct Setting: Encodable {
        let key: String
        let kind: String
        let help: String
        let `default`: OrNull<String>
        let choices: OrNull<[String]>
        let minimum: OrNull<Int64>
        let maximum: OrNull<Int64>
        let required: Bool
        let secret: Bool

        enum CodingKeys: String, CodingKey {
          case key = "key"
          case kind = "kind"
          case help = "help"
          case `default` = "default"
          case choices = "choices"
          case minimum = "minimum"
          case maximum = "maximum"
          case required = "required"
          case secret = "secret"
        }
      }
      let plugin: String
      let version: String
      let summary: String
      let path: String
      let check: Bool
      let settings: [Setting]

      enum CodingKeys: String, CodingKey {
        case plugin = "plugin"
        case version = "version"
        case summary = "summary"
        case path = "path"
        case check = "check"
        case settings = "settings"
      }
    }

    func run() throws {
      let context = try CommandContext(common)
      let named = context.configuration.transports.first { $0.name == name }?.plugin ?? name
      let plugin: Plugin
      do throws(Diagnostic) {
        plugin = try context.loader.load(named)
      } catch {
        throw CommandError(.configuration, [error])
      }
      Terminal.printError(plugin.warnings)
      guard !common.json else {
        try Terminal.printResult(
          json: PluginOutput(
            plugin: plugin.name, version: plugin.version, summary: plugin.summary, path: plugin.path,
            check: plugin.canCheck,
            settings: plugin.settings.map {
              PluginOutput.Setting(
                key: $0.key, kind: $0.kind.rawValue, help: $0.help, default: OrNull($0.defaultText),
                choices: OrNull($0.choices.isEmpty ? nil : $0.choices), minimum: OrNull($0.range?.lowerBound),
                maximum: OrNull($0.range?.upperBound), required: $0.required, secret: $0.secret)
            }))
        return
      }
      Terminal.printResult("\(plugin.name) \(plugin.version): \(plugin.summary)\n\(plugin.path)")
      for setting in plugin.settings {
        var notes = [setting.choices.isEmpty ? setting.kind.rawValue : setting.choices.joined(separator: "|")]
        if let range = setting.range {
          notes.append("\(range.lowerBound) to \(range.upperBound)\(setting.kind == .duration ? " ms" : "")")
        }
        if setting.required { notes.append("required") }
        if let text = setting.defaultText { notes.append("default \(text)") }
        if setting.secret { notes.append("secret") }
        Terminal.printResult("  \(setting.key) (\(notes.joined(separator: ", "))): \(setting.help)")
      }
    }
  }
}
