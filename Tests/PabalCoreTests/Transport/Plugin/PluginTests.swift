import Foundation
import PabalTesting
import Testing

@testable import PabalCore

/// The error for a copy of the faulty plugin in a folder that is named after the fault.
private let faults: [(folder: String, expected: String)] = [
  ("no-table", "needs a newer pabal"),
  ("newer-abi", "uses plugin ABI 2, but this pabal uses 1"),
  ("older-abi", "uses plugin ABI 0, but this pabal uses 1"),
  ("short-table", "table claims a size of 16 bytes"),
  ("no-name", "has no valid name"),
  ("bad-name", "has no valid name"),
  ("no-summary", "no version or no summary"),
  ("no-open", "no open, send or close"),
  ("no-send", "no open, send or close"),
  ("no-close", "no open, send or close"),
  ("settings-missing", "claims 1 settings, but has none"),
  ("settings-endless", "settings, but has none"),
  ("twice", "declares the setting “act” twice"),
  ("short-setting", "first setting claims a size of 4 bytes"),
  ("uneven-settings", "setting 2 claims a different size"),
  ("no-key", "it has no key"),
  ("bad-key", "its key “A b” has characters other than lower-case"),
  ("host-key", "the key “plugin” is reserved"),
  ("no-help", "“act” has no help"),
  ("bad-kind", "“act” has the unknown kind 99"),
  ("no-choices", "“act” is a choice without choices"),
  ("empty-choices", "“act” is a choice without choices"),
  ("bad-default", "“act”: "),
  ("bad-bounds", "minimum above its maximum"),
]

@Suite struct PluginTests {
  let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private func loadError(_ path: String) -> Diagnostic? {
    do throws(Diagnostic) {
      _ = try Plugin(at: path)
      return nil
    } catch {
      return error
    }
  }

  @Test(arguments: faults.map(\.folder))
  func `a plugin with an invalid table is rejected with the reason`(folder: String) throws {
    let expected = try #require(faults.first { $0.folder == folder }?.expected)
    let path = try directory.copy(BuiltProducts.fixture("faulty"), to: "\(folder)/libpabal-faulty.so")
    let found = try #require(self.loadError(path))
    #expect(found.message.contains(expected))
    #expect(found.file == path)
  }

  @Test func `a valid plugin is loaded`() throws {
    let path = try directory.copy(BuiltProducts.fixture("faulty"), to: "sound/libpabal-faulty.so")
    let plugin = try Plugin(at: path)
    #expect(plugin.name == "faulty")
    #expect(plugin.settings.map(\.key) == ["act"])
    #expect(plugin.warnings.isEmpty)
  }

  @Test func `a library without the entry function is rejected`() throws {
    let path = try directory.copy(
      "/lib/x86_64-linux-gnu/libc.so.6".existing ?? "/lib/aarch64-linux-gnu/libc.so.6", to: "libpabal-c.so")
    #expect(loadError(path)?.message.contains("does not export pabal_transport_entry") == true)
  }

  @Test func `a file that isn't a library is rejected`() throws {
    let path = try directory.write("not a library", to: "libpabal-text.so")
    #expect(loadError(path)?.message.hasPrefix("the plugin can't be loaded: ") == true)
  }

  @Test func `a directory, a missing file and a dangling link are rejected`() throws {
    #expect(loadError(directory.path)?.message == "the plugin is not a file")
    #expect(loadError("\(directory.path)/none.so")?.message.contains("No such file") == true)
    let link = "\(directory.path)/dangling.so"
    try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: "\(directory.path)/gone")
    #expect(loadError(link)?.message.contains("No such file") == true)
  }

  @Test func `a world-writable file is rejected with the command that fixes it`() throws {
    let path = try directory.copy(BuiltProducts.fixture("faulty"), to: "libpabal-faulty.so")
    chmod(path, 0o757)
    #expect(loadError(path)?.message.contains("world-writable") == true)
    #expect(loadError(path)?.remedy == "chmod o-w \(path)")
  }

  @Test func `a world-writable directory is rejected, sticky or not`() throws {
    let path = try directory.copy(BuiltProducts.fixture("faulty"), to: "open/libpabal-faulty.so")
    for mode: mode_t in [0o777, 0o1777] {
      chmod("\(directory.path)/open", mode)
      #expect(loadError(path)?.message.contains("directory was refused") == true)
    }
  }

  @Test func `a world-writable parent directory without the sticky bit is rejected`() throws {
    let path = try directory.copy(BuiltProducts.fixture("faulty"), to: "open/inner/libpabal-faulty.so")
    chmod("\(directory.path)/open", 0o777)
    #expect(loadError(path)?.message.contains("anyone can replace it") == true)
    chmod("\(directory.path)/open", 0o1777)
    #expect(loadError(path) == nil)
  }

  @Test func `a link to a file that another user can write is rejected`() throws {
    let path = try directory.copy(BuiltProducts.fixture("faulty"), to: "open/libpabal-faulty.so")
    chmod(path, 0o666)
    let link = "\(directory.path)/libpabal-faulty.so"
    try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: path)
    #expect(loadError(link)?.message.contains("world-writable") == true)
  }

  @Test func `a group-writable file causes a warning`() throws {
    let path = try directory.copy(BuiltProducts.fixture("faulty"), to: "libpabal-faulty.so")
    chmod(path, 0o775)
    let plugin = try Plugin(at: path)
    #expect(plugin.warnings.map(\.severity) == [.warning])
    #expect(plugin.warnings.first?.remedy == "chmod g-w \(path)")
  }

  @Test(.enabled(if: geteuid() == 0, "only root can give a file away"))
  func `a file or directory of another user is rejected`() throws {
    let path = try directory.copy(BuiltProducts.fixture("faulty"), to: "theirs/libpabal-faulty.so")
    chown(path, 65_534, 65_534)
    #expect(loadError(path)?.message.contains("its owner is user 65534") == true)
    chown(path, 0, 0)
    chown("\(directory.path)/theirs", 65_534, 65_534)
    #expect(loadError(path)?.message.contains("its owner is user 65534") == true)
  }
}

/// A plugin is loaded from the file that was examined.
@Suite struct PluginFileTests {
  let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  @Test func `a file put in its place after the examination isn't loaded`() throws {
    let path = try directory.copy(BuiltProducts.fixture("faulty"), to: "swapped/libpabal-faulty.so")
    let other = try directory.copy(BuiltProducts.plugin("console"), to: "swapped/other.so")
    var file = try PluginFile(path)
    #expect(rename(other, path) == 0)
    let library = try file.load()
    let symbol = try #require(dlsym(library, "pabal_transport_entry"))
    typealias Entry = @convention(c) (UInt32) -> UnsafeRawPointer?
    let table = try #require(unsafeBitCast(symbol, to: Entry.self)(1))
    // The field `name` of pabal_transport.
    let name = table.load(fromByteOffset: 8, as: UnsafePointer<CChar>.self)
    #expect(String(cString: name) == "faulty")
  }

  // That debuggers and backtraces see the path is tested by every faulty plugin, which asks dladdr(3) for its folder.
  @Test func `a second load of a file is the same library`() throws {
    let path = try directory.copy(BuiltProducts.fixture("faulty"), to: "named/libpabal-faulty.so")
    var first = try PluginFile(path)
    let library = try first.load()
    var second = try PluginFile(path)
    let again = try second.load()
    #expect(again == library)
  }

  @Test func `an error of the dynamic linker names the path`() throws {
    let path = try directory.write("not a library", to: "libpabal-text.so")
    let error = #expect(throws: Diagnostic.self) {
      var file = try PluginFile(path)
      _ = try file.load()
    }
    #expect(error?.message.contains(path) == true)
    #expect(error?.message.contains("/proc/") == false)
  }

  @Test(.enabled(if: geteuid() == 0, "only root can give a folder away"))
  func `a folder of another user above the plugin's is rejected`() throws {
    let path = try directory.copy(BuiltProducts.fixture("faulty"), to: "theirs/mine/libpabal-faulty.so")
    chown("\(directory.path)/theirs", 65_534, 65_534)
    let error = #expect(throws: Diagnostic.self) { try Plugin(at: path) }
    #expect(
      error?.message.contains("user 65534 can replace it: \(directory.path)/theirs belongs to them") == true)
  }
}

extension String {
  fileprivate var existing: String? { FileManager.default.fileExists(atPath: self) ? self : nil }
}
