internal import CPabalTransport
internal import Glibc

/// A loaded plugin with its checked table. Only the plugin's entry function has run.
public struct Plugin: Sendable {
  /// The real path of the file it was loaded from.
  public let path: String
  /// Its name, as in `libpabal-NAME.so`.
  public let name: String
  /// The human-readable version.
  public let version: String
  /// One sentence about what it does.
  public let summary: String
  /// The settings that `config.json` can contain for it.
  public let settings: [SettingDeclaration]
  /// Whether it can test its server without sending mail.
  public var canCheck: Bool { table.check != nil }
  /// How fast its server accepts mail from one account, if the plugin says so.
  public var pace: Pace? {
    guard table.pace_sends > 0, table.pace_seconds > 0 else { return nil }
    return Pace(sends: Int(table.pace_sends), per: .seconds(table.pace_seconds))
  }
  /// The keys of the settings that have the only address that it sends as; the first that is given counts. Empty: it sends
  /// as any sender.
  public let senderSettings: [String]
  /// Warnings for the operator; they don't prevent loading.
  public let warnings: [Diagnostic]

  /// A copy of the plugin's table, which may be longer or shorter than this host's.
  ///
  /// Its pointers stay valid and unchanged for the lifetime of the process, as the plugin contract requires.
  nonisolated(unsafe) let table: pabal_transport

  /// Loads the plugin from the file at `path`; it is never unloaded.
  public init(at path: String) throws(Diagnostic) {
    var file = try PluginFile(path)
    let real = file.path
    self.path = real
    self.warnings = file.warnings
    func makeError(_ message: String, remedy: String? = nil) -> Diagnostic {
      Diagnostic(message, remedy: remedy, file: real)
    }
    let library = try file.load()
    guard let symbol = dlsym(library, "pabal_transport_entry") else {
      throw makeError(
        "not a transport: it does not export pabal_transport_entry",
        remedy: "see pabal_transport.h")
    }
    let entry = unsafeBitCast(symbol, to: pabal_transport_entry_function.self)
    guard let pluginTable = entry(PABAL_TRANSPORT_ABI) else {
      throw makeError(
        "the plugin needs a newer pabal: it does not work with plugin ABI \(PABAL_TRANSPORT_ABI)",
        remedy: "update pabal, or use an older version of the plugin")
    }
    // Only `abi` and `size` have the same position in every ABI.
    let abi = pluginTable.pointee.abi
    guard abi == PABAL_TRANSPORT_ABI else {
      throw makeError(
        "the plugin uses plugin ABI \(abi), but this pabal uses \(PABAL_TRANSPORT_ABI)",
        remedy: abi > PABAL_TRANSPORT_ABI
          ? "update pabal, or build the plugin against its header"
          : "build the plugin against pabal_transport.h")
    }
    guard (Self.minimumTableSize..<65_536).contains(Int(pluginTable.pointee.size)) else {
      throw makeError(
        "the plugin's table claims a size of \(pluginTable.pointee.size) bytes, which is too small or too large"
      )
    }
    table = Self.copy(pluginTable, size: Int(pluginTable.pointee.size), onto: pabal_transport())
    guard let name = table.name.map({ String(cString: $0) }), Self.isValidName(name) else {
      throw makeError("the plugin's table has no valid name (lower-case letters, digits and hyphens)")
    }
    self.name = name
    guard let version = table.version, let summary = table.summary else {
      throw makeError("the plugin's table has no version or no summary")
    }
    self.version = printable(String(cString: version))
    self.summary = printable(String(cString: summary))
    guard table.open != nil, table.send != nil, table.close != nil else {
      throw makeError("the plugin's table has no open, send or close function")
    }
    settings = try Self.settings(of: table, makeError)
    let declared = settings
    senderSettings =
      table.sender_settings.map { String(cString: $0).split(separator: " ").map(String.init) } ?? []
    if let unknown = senderSettings.first(where: { key in !declared.contains { $0.key == key } }) {
      throw makeError(
        "the plugin's table names the setting \(quoted(unknown)) of its sender, which it doesn't declare")
    }
  }

  /// Whether `text` is a valid plugin name: `[a-z][a-z0-9-]*`, at most 64 characters.
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

  // The sizes of the structs in the first release of ABI 1, up to `check` and `secret`.
  private static let minimumTableSize = 80
  private static let minimumSettingSize = 64

  /// Returns the struct at `source`, which has `size` bytes; fields that it is too short for keep their value in `empty`.
  private static func copy<Struct: BitwiseCopyable>(
    _ source: UnsafeRawPointer, size: Int, onto empty: Struct
  ) -> Struct {
    var copy = empty
    withUnsafeMutableBytes(of: &copy) {
      $0.copyMemory(from: UnsafeRawBufferPointer(start: source, count: min(size, $0.count)))
    }
    return copy
  }

  private static func settings(
    of table: pabal_transport, _ makeError: (String, String?) -> Diagnostic
  ) throws(Diagnostic) -> [SettingDeclaration] {
    guard table.setting_count != 0 else { return [] }
    guard (1...1_000).contains(table.setting_count), let first = table.settings else {
      throw makeError(
        "the plugin's table claims \(UInt(bitPattern: table.setting_count)) settings, but has none", nil)
    }
    // The size of the first setting is the stride, because settings of a newer plugin are longer.
    let stride = Int(first.pointee.size)
    guard stride >= minimumSettingSize, stride < 4_096 else {
      throw makeError(
        "the plugin's first setting claims a size of \(stride) bytes, which is too small or too large", nil)
    }
    var declared: [SettingDeclaration] = []
    for index in 0..<table.setting_count {
      let setting = copy(UnsafeRawPointer(first) + index * stride, size: stride, onto: pabal_setting())
      guard setting.size == stride else {
        throw makeError("the plugin's setting \(index + 1) claims a different size than the first one", nil)
      }
      let declaration: SettingDeclaration
      do throws(SettingDeclaration.DeclarationError) {
        declaration = try SettingDeclaration(setting)
      } catch {
        throw makeError("the plugin's setting \(index + 1) has an invalid declaration: \(error.message)", nil)
      }
      guard !declared.contains(where: { $0.key == declaration.key }) else {
        throw makeError("the plugin declares the setting “\(declaration.key)” twice", nil)
      }
      declared.append(declaration)
    }
    return declared
  }
}
