public import PabalFormats

/// An entry of `transports`. Its settings are validated when its plugin is loaded.
public struct TransportConfiguration: Sendable, RedactedDescription {
  /// Its key in `transports`.
  public let name: String
  /// The name of the plugin, or its absolute path if the configuration has a path.
  public let plugin: String
  /// All members except `plugin`, as written. They may contain passwords.
  public let settings: [JSONValue.Member]
  /// The location of the entry.
  public let location: SettingLocation
  /// The location of its `plugin`.
  public let pluginLocation: SettingLocation

  /// The name and the plugin, without the settings.
  public var description: String { "transport \(quoted(name)) by plugin \(quoted(plugin))" }

  /// Whether `other` is the same transport of the same plugin with the same settings. Positions don't matter.
  public func isSame(as other: TransportConfiguration) -> Bool {
    name == other.name && plugin == other.plugin && JSONValue.areEquivalent(settings, other.settings)
  }

  /// Reads the entries of `transports`; returns `nil` after an error in any of them.
  static func all(in root: ObjectDecoder) -> [TransportConfiguration]? {
    let value = root.required(
      "transports", remedy: "add one, for example \"transports\": {\"console\": {\"plugin\": \"console\"}}")
    guard let members = value?.namedMembers() else { return nil }
    if members.isEmpty { value?.report("no transports", remedy: "add at least one") }
    let all = members.map { name, value in
      value.object { object in TransportConfiguration(name, object) }
    }
    let read = all.compactMap(\.self)
    return read.count == all.count ? read : nil
  }

  /// Reads an entry of `transports`; returns `nil` after an error.
  init?(_ name: String, _ object: ObjectDecoder) {
    let settings = object.remaining(except: ["plugin"])
    for member in settings { object.value(of: member).reportDuplicateKeys() }
    let suggestion = nearest(to: "plugin", among: settings.map(\.key))
    let plugin = object.required(
      "plugin",
      remedy: suggestion.map { "rename \(quoted($0)) to \"plugin\" if it is misspelt" }
        ?? "add the name of a plugin, for example \"plugin\": \"smtp\"")
    guard let plugin, let text = plugin.nonEmptyText() else { return nil }
    guard let text = text.contains("/") ? plugin.filePath() : text else { return nil }
    self.name = name
    self.plugin = text
    self.settings = settings
    location = object.value.location
    pluginLocation = plugin.location
  }

  /// Reads the name or list of names in `transport`; returns `nil` after an error.
  static func route(in root: ObjectDecoder) -> [String]? {
    root.value.collector.transportNames = definedTransportNames(in: root.value)
    let example = root.value.exampleTransport
    return root.required(
      "transport", remedy: "name one of \"transports\", for example \"transport\": \"\(example)\"")?.route()
  }

  // The names are those in the file, not only of valid entries, because an invalid entry is still the one meant.
  private static func definedTransportNames(in root: FieldDecoder) -> [String]? {
    guard case .object(let members) = root.node.content,
      case .object(let transports) = members.first(where: { $0.key == "transports" })?.value.content
    else { return nil }
    return transports.map(\.key)
  }
}

extension FieldDecoder {
  /// A route: the name or the list of names of transports.
  func route() -> [String]? {
    let names: [FieldDecoder]
    switch node.content {
    case .string: names = [self]
    case .array: names = elements() ?? []
    default:
      report(
        expected: "a name or a list of names",
        remedy: "write it like \"\(exampleTransport)\" or [\"\(exampleTransport)\"]")
      return nil
    }
    if names.isEmpty { report("empty list", remedy: "name at least one transport") }
    var route: [String] = []
    for name in names {
      guard let text = name.text() else { continue }
      if let defined = collector.transportNames, !defined.contains(text) {
        name.report("unknown transport \(quoted(text))", remedy: remedy(forUnknown: text, among: defined))
      } else if route.contains(text) {
        name.report("duplicate transport \(quoted(text))", remedy: "list each transport once")
      }
      route.append(text)
    }
    return route
  }

  /// The name of a transport for an example.
  fileprivate var exampleTransport: String {
    collector.transportNames?.first(where: JSONValue.isPlainKey) ?? "console"
  }
}

extension Configuration {
  /// Returns the transports to try, in order and each at most once: those of `names` (from `--transport` or
  /// `PABAL_TRANSPORT`), or else of `transport`.
  public func transports(overriding names: [String]? = nil) throws(Diagnostics) -> [TransportConfiguration] {
    var unknown: [Diagnostic] = []
    var chosen: [TransportConfiguration] = []
    for name in names ?? route where !chosen.contains(where: { $0.name == name }) {
      if let transport = transports.first(where: { $0.name == name }) {
        chosen.append(transport)
      } else {
        let remedy = remedy(forUnknown: name, among: transports.map(\.name))
        unknown.append(Diagnostic("unknown transport \(quoted(name))", remedy: remedy, file: file))
      }
    }
    guard unknown.isEmpty else { throw Diagnostics(unknown) }
    return chosen
  }
}

/// `plugins`: where additional plugins are.
public struct PluginsConfiguration: Sendable {
  /// The absolute directories that are searched first, in order.
  public let directories: [String]

  /// Creates a list of directories.
  public init(directories: [String] = []) { self.directories = directories }

  static func read(_ value: FieldDecoder) -> PluginsConfiguration? {
    value.object { object in
      let directories = object.optional("directories")?.elements() ?? []
      return PluginsConfiguration(directories: directories.compactMap { $0.filePath() })
    }
  }
}
