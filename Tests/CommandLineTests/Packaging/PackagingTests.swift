import Foundation
import PabalTesting
import Testing

/// The manual and the Debian packages, made from the programs of this build.
@Suite struct PackagingTests {
  @Test func `every command and file format has a page of the manual that mandoc accepts`() throws {
    let directory = try TemporaryDirectory()
    try makeManual(in: directory.path)
    let pages = try FileManager.default.contentsOfDirectory(atPath: directory.path)
      .filter { !$0.hasSuffix(".json") }
    let lint = try ChildProcess.run(
      "mandoc", ["-T", "lint", "-W", "warning"] + pages.map { "\(directory.path)/\($0)" })
    #expect(lint.status == 0 && lint.output + lint.errors == "")

    let commands = Set(try topCommands(directory.path)).subtracting(["help", "sendmail"])
    #expect(commands.isSuperset(of: ["send", "serve", "outbox"]))
    let expected =
      commands.map { "pabal-\($0).1" }
      + ["pabal.1", "sendmail.8", "pabal-config.json.5", "pabal-messages.5", "pabal-transport.3"]
    #expect(Set(pages) == Set(expected))
  }

  @Test func `the page of the configuration has every key of the schema`() throws {
    let directory = try TemporaryDirectory()
    try makeManual(in: directory.path)
    let page = try ChildProcess.run(
      "mandoc", ["-T", "utf8", "-O", "width=200", "\(directory.path)/pabal-config.json.5"]
    ).output.replacing(/.\u{8}/, with: "")
    let schema = try JSONSerialization.jsonObject(
      with: Data(contentsOf: URL(filePath: "\(BuiltProducts.root)/config.schema.json")))
    let keys = propertyNames(schema).subtracting(["$schema"])
    #expect(keys.count > 100)
    #expect(keys.filter { !page.contains($0) } == [])
  }

  @Test func `the page of messages has every key that message.json may have`() throws {
    let page = try String(
      contentsOfFile: "\(BuiltProducts.root)/Packaging/manual/pabal-messages.5", encoding: .utf8)
    // Those that the shipped messages use.
    let messages = "\(BuiltProducts.root)/Sources/Messages"
    var keys: Set<String> = []
    for name in try FileManager.default.contentsOfDirectory(atPath: messages) {
      guard let data = FileManager.default.contents(atPath: "\(messages)/\(name)/message.json") else {
        continue
      }
      let message = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
      keys.formUnion(message.keys)
      for variable in try #require(message["variables"] as? [String: [String: Any]]).values {
        keys.formUnion(variable.keys)
      }
    }
    #expect(keys.isSuperset(of: ["for", "lane", "variables", "kind"]))
    #expect(keys.filter { !page.contains("Cm \($0)") } == [])
  }

  @Test(.enabled("needs root") { getuid() == 0 })
  func `the packages and the container work on a Debian 12 without Swift`() async throws {
    let directory = try TemporaryDirectory()
    // Smaller and reproducible are matters of the release build: this one only has to install.
    let made = try await runOnThread(
      "\(BuiltProducts.root)/Packaging/build-deb", [BuiltProducts.directory, directory.path],
      environment: [
        "DEB_BUILD_OPTIONS": "nostrip", "DPKG_DEB_COMPRESSOR_TYPE": "gzip",
        "DPKG_DEB_COMPRESSOR_LEVEL": "1",
      ])
    try #require(made.status == 0, "\(made.output)\(made.errors)")
    let run = try await runOnThread("\(BuiltProducts.root)/Tests/Packaging/chroot.sh", [directory.path])
    #expect(run.status == 0 && run.output.hasSuffix("all is well\n"), "\(run.output)\(run.errors)")
    #expect(!run.output.contains("FAILED"), "\(run.output)")

    let package = try #require(
      try FileManager.default.contentsOfDirectory(atPath: directory.path).first { $0.hasPrefix("pabal_") })
    let image = try await runOnThread(
      "\(BuiltProducts.root)/Tests/Packaging/container.sh", ["\(directory.path)/\(package)"])
    #expect(image.status == 0 && image.output.hasSuffix("all is well\n"), "\(image.output)\(image.errors)")
    #expect(!image.output.contains("FAILED"), "\(image.output)")
  }

  // Takes a minute, which would keep one of the few threads of the concurrency pool from other tests.
  private func runOnThread(
    _ program: String, _ arguments: [String], environment: [String: String?] = [:]
  ) async throws -> ChildProcess {
    try await mapOnThreads([0]) { _ in
      Result { try ChildProcess.run(program, arguments, environment: environment) }
    }[0].get()
  }

  private func makeManual(in directory: String) throws {
    let help = "\(directory)/help.json"
    let dump = try ChildProcess.run(
      "\(BuiltProducts.directory)/pabal", ["--experimental-dump-help"])
    try #require(dump.status == 0)
    try Data(dump.bytes).write(to: URL(filePath: help))
    let run = try ChildProcess.run(
      "\(BuiltProducts.root)/Packaging/manual/generate.py",
      [help, "\(BuiltProducts.root)/config.schema.json", "1.2.3", "2026-11-30", directory])
    try #require(run.status == 0, "\(run.errors)")
  }

  private func topCommands(_ directory: String) throws -> [String] {
    let help = try JSONSerialization.jsonObject(
      with: Data(contentsOf: URL(filePath: "\(directory)/help.json")))
    let root = try #require((help as? [String: Any])?["command"] as? [String: Any])
    let commands = try #require(root["subcommands"] as? [[String: Any]])
    return commands.compactMap { $0["commandName"] as? String }
  }

  private func propertyNames(_ schema: Any) -> Set<String> {
    switch schema {
    case let object as [String: Any]:
      var names = Set((object["properties"] as? [String: Any])?.keys.map { $0 } ?? [])
      for value in object.values { names.formUnion(propertyNames(value)) }
      return names
    case let list as [Any]: return list.reduce(into: []) { $0.formUnion(propertyNames($1)) }
    default: return []
    }
  }
}
