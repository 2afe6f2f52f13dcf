public import PabalFormats

/// One entry of `transports`: the plugin is known, its settings are not judged before it is loaded.
public struct TransportConfiguration: Sendable, RedactedDescription {
  /// Its key in `transports`.
  public let name: String
  /// The plugin's name, or its absolute path if it has a slash.
  public let plugin: String
  /// All members but `plugin`, as written; they may hold passwords.
  public let settings: [JSONValue.Member]
  /// Where the entry stands.
  public let location: SettingLocation
  /// Where its `plugin` stands.
  public let pluginLocation: SettingLocation

  /// The name and the plugin, without the settings.
  public var description: String { "transport \(quoted(name)) by plugin \(quoted(plugin))" }

  /// Whether it is the same transport by the same plugin with the same settings, wherever they stand.
  public func isSame(as other: TransportConfiguration) -> Bool {
    name == other.name && plugin == other.plugin && JSONValue.areEquivalent(settings, other.settings)
  }

  /// The entries of `transports`, or `nil` after an error in any of them.
  static func all(in root: ObjectDecoder) -> [TransportConfiguration]? {
    let value = root.required(
      "transports", remedy: "add \"transports\": {\"console\": {\"plugin\": \"console\"}}")
    guard let members = value?.namedMembers() else { return nil }
    if members.isEmpty { value?.report("there is no transport in it") }
    let all = members.map { name, value in
      value.object { object in TransportConfiguration(name, object) }
    }
    let read = all.compactMap(\.self)
    return read.count == all.count ? read : nil
  }

  private init?(_ name: String, _ object: ObjectDecoder) {
    let settings = object.remaining(except: ["plugin"])
    for member in settings { object.value(of: member).reportDuplicateKeys() }
    let suggestion = nearest(to: "plugin", among: settings.map(\.key))
    let plugin = object.required(
      "plugin",
      remedy: suggestion.map { "did you mean it by \(quoted($0))?" }
        ?? "say which, as in \"plugin\": \"smtp\"")
    guard let plugin, let text = plugin.nonEmptyText() else { return nil }
    guard let text = text.contains("/") ? plugin.filePath() : text else { return nil }
    self.name = name
    self.plugin = text
    self.settings = settings
    location = object.value.location
    pluginLocation = plugin.location
  }

  /// The names that `transport` gives, a name or a list of them, or `nil` after an error.
  static func route(in root: ObjectDecoder) -> [String]? {
    let defined = definedTransportNames(in: root.value)
    let example = defined?.first(where: JSONValue.isPlainKey) ?? "console"
    let value = root.required(
      "transport", remedy: "name one of \"transports\", as in \"transport\": \"\(example)\"")
    guard let value else { return nil }
    let names: [FieldDecoder]
    switch value.node.content {
    case .string: names = [value]
    case .array: names = value.elements() ?? []
    default:
      value.report(expected: "a name or a list of names")
      return nil
    }
    if names.isEmpty { value.report("the list is empty", remedy: "name at least one transport") }
    var route: [String] = []
    for name in names {
      guard let text = name.text() else { continue }
      if let defined, !defined.contains(text) {
        name.report("there is no transport \(quoted(text))", remedy: remedy(forUnknown: text, among: defined))
      } else if route.contains(text) {
        name.report("\(quoted(text)) stands twice", remedy: "a route tries each transport once")
      }
      route.append(text)
    }
    return route
  }

  // From the file, not from what could be read of it: a faulty entry is still the one that was meant.
  private static func definedTransportNames(in root: FieldDecoder) -> [String]? {
    guard case .object(let members) = root.node.content,
      case .object(let transports) = members.first(where: { $0.key == "transports" })?.value.content
    else { return nil }
    return transports.map(\.key)
  }
}

extension Configuration {
  /// The transports to try, in order: those of `transport`, or of `names` (from `--transport` or
  /// `PABAL_TRANSPORT`), each at most once.
  public func transports(overriding names: [String]? = nil) throws(Diagnostics) -> [TransportConfiguration] {
    var unknown: [Diagnostic] = []
    var chosen: [TransportConfiguration] = []
    for name in names ?? route where !chosen.contains(where: { $0.name == name }) {
      if let transport = transports.first(where: { $0.name == name }) {
        chosen.append(transport)
      } else {
        let remedy = remedy(forUnknown: name, among: transports.map(\.name))
        unknown.append(Diagnostic("there is no transport \(quoted(name))", remedy: remedy, file: file))
      }
    }
    guard unknown.isEmpty else { throw Diagnostics(unknown) }
    return chosen
  }
}

/// `plugins`: where transports of others are.
public struct PluginsConfiguration: Sendable {
  /// The folders looked in first, absolute, in order.
  public let directories: [String]

  /// The folders looked in first.
  public init(directories: [String] = []) { self.directories = directories }

  static func read(_ value: FieldDecoder) -> PluginsConfiguration? {
    value.object { object in
      let directories = object.optional("directories")?.elements() ?? []
      return PluginsConfiguration(directories: directories.compactMap { $0.filePath() })
    }
  }
}
