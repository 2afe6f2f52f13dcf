import PabalTesting
import Testing

/// `pabal transports`, and the settings of plugins.
@Suite struct TransportsTests {
  @Test func `transports are listed with those in use first, and show their settings`() throws {
    let site = try TestSite()
    let list = try site.pabal("transports")
    #expect(list.status == 0)
    #expect(list.output.contains("→ file (plugin file)"))
    let show = try site.pabal("transports", "show", "file", "--json").json
    #expect(show["plugin"] as? String == "file")
    let settings = try #require(show["settings"] as? [[String: Any]])
    #expect(settings.map { $0["key"] as? String } == ["directory"])
    #expect(try site.pabal("transports", "show", "nothing").status == 78)
  }

  @Test func `mistakes in a plugin's settings are reported with path and remedy`() throws {
    let site = try TestSite(
      TestSite.shipped.replacing(#""directory": "mail""#, with: #""directroy": "mail""#))
    let run = try site.pabal("send", "a@example.org")
    #expect(run.status == 78)
    #expect(run.errors.contains("transports.file.directroy"))
    #expect(run.errors.contains("directory"))
  }

  @Test func `output of a plugin while it is loaded doesn't mix with JSON`() throws {
    let site = try TestSite()
    try site.directory.copy(BuiltProducts.fixture("faulty"), to: "chatty/libpabal-faulty.so")
    let show = try site.pabal("transports", "show", "./chatty/libpabal-faulty.so", "--json")
    #expect(try show.json["plugin"] as? String == "faulty")
    #expect(show.errors.contains("output of the plugin"))
  }
}
