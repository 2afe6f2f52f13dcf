import PabalCore
import PabalTesting
import Testing

@Suite struct PluginLoaderTests {
  let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private func loadError(_ loader: PluginLoader, _ name: String) -> Diagnostic? {
    do throws(Diagnostic) {
      _ = try loader.load(name)
      return nil
    } catch {
      return error
    }
  }

  @Test func `the first directory that has the plugin wins`() throws {
    let first = try directory.copy(BuiltProducts.fixture("faulty"), to: "a/libpabal-faulty.so")
    try directory.copy(BuiltProducts.fixture("faulty"), to: "b/libpabal-faulty.so")
    let loader = PluginLoader(only: ["\(directory.path)/none", "\(directory.path)/a", "\(directory.path)/b"])
    #expect(try loader.load("faulty").path == first)
  }

  @Test func `plugins next to the program are found by default`() throws {
    #expect(try PluginLoader().load("console").name == "console")
    #expect(try PluginLoader().load("file").name == "file")
    #expect(PluginLoader().names().contains("console"))
  }

  @Test func `a path is used as it is`() throws {
    #expect(try PluginLoader(only: []).load(BuiltProducts.fixture("abi1")).name == "example")
  }

  @Test func `a misspelled name suggests the plugin that was meant`() {
    let loadError = self.loadError(PluginLoader(), "consol")
    #expect(loadError?.message.contains("plugin “consol” not found") == true)
    #expect(loadError?.remedy == "did you mean “console”?")
    let far = self.loadError(PluginLoader(), "sendgrid")
    #expect(far?.remedy?.hasPrefix("use one of “console”, “file”, ") == true)
    #expect(
      far?.remedy?.hasSuffix(", add the directory of “sendgrid” to plugins.directories, or give its path")
        == true)
  }

  @Test(arguments: ["", "../file", "File", "a b", "x\u{0}y", String(repeating: "a", count: 65), "libpabal-é"])
  func `an invalid name never becomes a path`(name: String) {
    let loadError = self.loadError(PluginLoader(only: [directory.path]), name)
    #expect(loadError != nil)
  }

  @Test func `a plugin with another file name is rejected`() throws {
    try directory.copy(BuiltProducts.plugin("console"), to: "libpabal-mail.so")
    let loadError = self.loadError(PluginLoader(only: [directory.path]), "mail")
    #expect(loadError?.message == "the plugin calls itself “console”, but its file name says “mail”")
  }
}
