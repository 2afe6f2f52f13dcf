internal import CPabalTransport
internal import Glibc

/// A loaded plugin: what its table says, checked, before anything of it runs but its entry.
public struct Plugin: Sendable {
  /// The file it was loaded from, resolved.
  public let path: String
  /// Its name, as in `libpabal-NAME.so`.
  public let name: String
  /// Its version, for people.
  public let version: String
  /// What it does, in one sentence.
  public let summary: String
  /// What `config.json` may say of it.
  public let settings: [SettingDeclaration]
  /// Whether it can reach its far side without a mail.
  public var canCheck: Bool { table.check != nil }
  /// What an operator should look at, though it stops nothing.
  public let warnings: [Diagnostic]

  /// The table, copied: a plugin's own may be longer or shorter than this host's.
  ///
  /// Its pointers lead to what the plugin promises to keep unchanged as long as the process lives.
  nonisolated(unsafe) let table: pabal_transport

  /// Loads the plugin in the file at `path`; it stays loaded as long as the process.
  public init(at path: String) throws(Diagnostic) {
    let file = try PluginFile(path)
    self.path = file.path
    self.warnings = file.warnings
    func makeError(_ message: String, remedy: String? = nil) -> Diagnostic {
      Diagnostic(message, remedy: remedy, file: file.path)
    }
    guard let library = dlopen(file.path, RTLD_NOW | RTLD_LOCAL) else {
      let reason = dlerror().map { printable(String(cString: $0)) } ?? "no reason given"
      throw makeError("the plugin can't be loaded: \(reason)")
    }
    guard let symbol = dlsym(library, "pabal_transport_entry") else {
      throw makeError(
        "this is no transport: it does not export pabal_transport_entry",
        remedy: "see pabal_transport.h")
    }
    let entry = unsafeBitCast(symbol, to: pabal_transport_entry_function.self)
    guard let pluginTable = entry(PABAL_TRANSPORT_ABI) else {
      throw makeError(
        "the plugin needs a newer pabal: it does not work with plug-in ABI \(PABAL_TRANSPORT_ABI)",
        remedy: "update pabal, or take an older version of the plugin")
    }
    // Only these two fields have their place in every ABI.
    let abi = pluginTable.pointee.abi
    guard abi == PABAL_TRANSPORT_ABI else {
      throw makeError(
        "the plugin speaks plug-in ABI \(abi), this pabal \(PABAL_TRANSPORT_ABI)",
        remedy: abi > PABAL_TRANSPORT_ABI
          ? "update pabal, or build the plugin against its header"
          : "build the plugin against pabal_transport.h")
    }
    guard pluginTable.pointee.size >= MemoryLayout<pabal_transport>.size, pluginTable.pointee.size < 65_536
    else {
      throw makeError(
        "the plugin's table says it has \(pluginTable.pointee.size) octets, too few or too many")
    }
    table = pluginTable.pointee
    guard let name = table.name.map({ String(cString: $0) }), Self.isValidName(name) else {
      throw makeError("the plugin's table has no name of lower-case letters, digits and hyphens")
    }
    self.name = name
    guard let version = table.version, let summary = table.summary else {
      throw makeError("the plugin's table has no version or no summary")
    }
    self.version = printable(String(cString: version))
    self.summary = printable(String(cString: summary))
    guard table.open != nil, table.send != nil, table.close != nil else {
      throw makeError("the plugin's table lacks open, send or close")
    }
    settings = try Self.settings(of: table, makeError)
  }

  /// Whether `text` can be a plugin's name: `[a-z][a-z0-9-]*`, 64 characters at most.
  static func isValidName(_ text: String) -> Bool {
    guard let first = text.utf8.first, text.utf8.count <= 64 else { return false }
    return (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(first)
      && text.utf8.allSatisfy {
        switch $0 {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"):
          true
        default: false
        }
      }
  }

  private static func settings(
    of table: pabal_transport, _ makeError: (String, String?) -> Diagnostic
  ) throws(Diagnostic) -> [SettingDeclaration] {
    guard table.setting_count != 0 else { return [] }
    guard (1...1_000).contains(table.setting_count), let first = table.settings else {
      throw makeError(
        "the plugin's table says it has \(UInt(bitPattern: table.setting_count)) settings, but has none", nil)
    }
    // Each says its own size, and a newer plugin's are longer: the first one's is the stride.
    let stride = Int(first.pointee.size)
    guard stride >= MemoryLayout<pabal_setting>.size, stride < 4_096 else {
      throw makeError("the plugin's first setting says it has \(stride) octets, too few or too many", nil)
    }
    var declared: [SettingDeclaration] = []
    for index in 0..<table.setting_count {
      let setting = UnsafeRawPointer(first).loadUnaligned(
        fromByteOffset: index * stride, as: pabal_setting.self)
      guard setting.size == stride else {
        throw makeError("the plugin's setting \(index + 1) says it has another size than the first", nil)
      }
      let declaration: SettingDeclaration
      do throws(SettingDeclaration.DeclarationError) {
        declaration = try SettingDeclaration(setting)
      } catch {
        throw makeError("the plugin's setting \(index + 1) is declared wrongly: \(error.message)", nil)
      }
      guard !declared.contains(where: { $0.key == declaration.key }) else {
        throw makeError("the plugin declares the setting “\(declaration.key)” twice", nil)
      }
      declared.append(declaration)
    }
    return declared
  }
}
