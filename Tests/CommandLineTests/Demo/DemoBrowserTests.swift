import Foundation
import PabalTesting
import Testing

/// The demo page in a browser, used by keyboard only; axe-core checks each state.
@Suite struct DemoBrowserTests {
  /// A state of the page, as `demo.py` reports it.
  private struct State: Decodable {
    let state: String
    let title: String
    let lang: String
    let text: String
    /// The id, otherwise the tag, of the element that has the focus.
    let focus: String
    /// The texts that a screen reader reads with the field.
    let described: [String]
    let invalid: Bool
    let value: String?
    /// The text of the status region, which screen readers announce.
    let status: String
    let failure: String
    /// The width of the page and of its window.
    let width: [Int]
    /// The subject of the mail that is shown beside the page.
    let mail: String?
    /// The number of targets smaller than 24 pixels (WCAG 2.2, 2.5.8).
    let small: Int
    /// The number of axe-core rules that passed.
    let rules: Int
    let violations: [String]
  }

  private func drive(_ site: TestSite, _ arguments: String...) throws -> [State] {
    let python = try ChildProcess.run("\(BuiltProducts.root)/Tests/python-environment", [])
    #expect(python.status == 0, "\(python.errors)")
    let packages = "\(BuiltProducts.root)/.build-python/lib"
    let version = try #require(
      FileManager.default.contentsOfDirectory(atPath: packages).first { $0.hasPrefix("python3") })
    let axe = "\(packages)/\(version)/site-packages/axe_playwright_python/axe.min.js"
    let run = try ChildProcess.run(
      "python3",
      ["\(BuiltProducts.root)/Tests/Servers/demo.py", "\(BuiltProducts.directory)/pabal", axe] + arguments,
      environment: [
        "PABAL_CLOCK": BuiltProducts.fixture("clock"), "PABAL_CONFIG": nil, "PABAL_TRANSPORT": nil,
      ], directory: site.directory.path)
    #expect(run.status == 0, "\(run.errors)")
    let states = try JSONDecoder().decode([State].self, from: Data(run.bytes))
    for state in states {
      #expect(state.violations == [], "\(state.state)")
      #expect(state.rules > 20, "axe-core checked nothing")
      #expect(state.width[0] <= state.width[1], "\(state.state) is wider than its window")
      #expect(state.small == 0, "\(state.state)")
      #expect(!state.described.contains { $0.hasPrefix("MISSING") }, "\(state.state): \(state.described)")
    }
    return states
  }

  @Test(
    .needsChromium,
    arguments: [
      ("ko", "360", "light"), ("ko", "1280", "dark"), ("en", "360", "dark"), ("en", "1280", "light"),
    ])
  func `an address is verified by keyboard`(language: String, width: String, scheme: String) throws {
    let site = try TestSite(TestSite.shipped(with: DemoTestSite.serve))
    let states = try drive(site, language, width, scheme)
    #expect(
      states.map(\.state) == [
        "address", "no-address", "bad-address", "code", "no-code", "bad-code", "mismatch", "approved",
        "again",
      ])
    let texts = try DemoTestSite.words(language)
    for state in states {
      #expect(state.lang == language)
      // The focus is in the field, or on the heading of a page without one.
      let focus =
        switch state.state {
        case "approved": "h1"
        case "code", "no-code", "bad-code", "mismatch": "code"
        default: "address"
        }
      #expect(state.focus == focus, "\(state.state)")
      let error: String? =
        switch state.state {
        case "no-address": texts["no_address"]
        case "bad-address": texts["bad_address"]
        case "no-code": texts["no_code"]
        case "bad-code": try DemoTestSite.words(language, "bad_code", 6)
        case "mismatch": try DemoTestSite.words(language, "mismatch.other", 4)
        default: nil
        }
      #expect(state.invalid == (error != nil), "\(state.state)")
      // Screen readers read the error with the field, before its hint.
      if let error { #expect(state.described.first == error) }
      #expect(state.title.hasPrefix("\(texts["title_error"] ?? "?"): ") == (error != nil))
      #expect((state.mail != nil) == (focus == "code"), "\(state.state)")
    }
    #expect(states[7].text.contains("kim@example.com"))
    #expect(states[8].value == "")
  }

  @Test(.needsChromium)
  func `each error is shown, and the page recovers from those that it can`() throws {
    let faulty = ["rejected", "deferred", "held:transport", "unknown", "slow"].map { act in
      let name = act.prefix { $0 != ":" }
      return #""\#(name)": { "plugin": "./faulty/libpabal-faulty.so", "act": "\#(act)" },"#
    }
    let configuration = TestSite.configuration(transport: #""file""#, more: faulty.joined(separator: "\n"))
    let more = #""verification": { "sends": 3 }, \#(DemoTestSite.serve)"#
    let site = try TestSite(configuration.replacing(#""from""#, with: "\(more),\n  \"from\""))
    try site.addFaultyPlugin()
    let states = Dictionary(uniqueKeysWithValues: try drive(site, "all").map { ($0.state, $0) })
    func state(_ name: String) throws -> State { try #require(states[name], "\(name)") }
    let (korean, english) = (try DemoTestSite.words("ko"), try DemoTestSite.words("en"))

    // The tab restores the verification, and switching the language keeps it.
    #expect(try state("restored").focus == "code")
    #expect(try state("other-language").lang == "en")
    #expect(try state("other-language").text.contains("resend@example.com"))
    #expect(try state("other-language-reloaded").lang == "en")
    #expect(try state("other-language-reloaded").text.contains("resend@example.com"))
    #expect(try state("back").value == "resend@example.com" && state("back").lang == "en")
    #expect(try state("forward").text.contains("resend@example.com") && state("forward").focus == "code")
    #expect(try state("progress").text.contains(korean["sending_mail"] ?? "?"))
    #expect(try state("progress").status == korean["sending_mail"])
    #expect(try !state("slow").text.contains(korean["sending_mail"] ?? "?"))
    // A notice is announced, and the field has the focus.
    #expect(try state("resent").status == korean["resent"])
    #expect(try state("resent").focus == "code")
    #expect(try state("earlier").described.first == DemoTestSite.words("ko", "earlier.other", 4))
    #expect(try state("last-resend").text.contains(korean["no_resend"] ?? "?"))
    #expect(try state("exhausted").text.contains(korean["exhausted"] ?? "?"))
    #expect(try state("withdrawn").value == "cancel@example.com")
    #expect(try state("withdrawn").status == korean["withdrawn"])
    #expect(
      try state("cooldown").described.first?.wholeMatch(
        of: /조금 전에 이 주소로 메일을 보냈습니다\. (1:00|0:[0-9]{2}) 후에 다시 시도해 주세요\./) != nil)
    // The input isn't lost while the network is down.
    #expect(try state("offline").failure == korean["offline"])
    #expect(try state("offline").value == "123456")
    #expect(try state("online").failure == "")
    #expect(try state("online").invalid)
    #expect(try state("expired").text.contains(korean["expired"] ?? "?"))
    #expect(try state("expired").focus == "h1")

    #expect(try state("rejected").described.first == korean["delivery.rejected"])
    #expect(try state("deferred").described.contains(korean["delivery.deferred"] ?? "?"))
    #expect(try state("held").described.contains(english["delivery.held"] ?? "?"))
    #expect(try state("unknown").described.contains(english["delivery.unknown"] ?? "?"))
    // An update of the mail's status doesn't change what is being typed.
    let recovered = try state("recovered")
    #expect(recovered.value == "12" && recovered.focus == "code" && recovered.mail != nil)
    #expect(recovered.status == english["delivery.sent"])
  }
}
