import PabalCore

// Parses arbitrary bytes as config.json and checks the transports against declared settings. Secrets aren't fetched,
// because the input could name a command.

private let declared = [
  SettingDeclaration(key: "host", kind: .text, help: "", required: true),
  SettingDeclaration(key: "port", kind: .number, help: "", defaultText: "465", range: 1...65_535),
  SettingDeclaration(key: "tls", kind: .choice, help: "", choices: ["implicit", "starttls"]),
  SettingDeclaration(key: "verbose", kind: .boolean, help: ""),
  SettingDeclaration(key: "timeout", kind: .duration, help: "", range: 1...3_600_000),
  SettingDeclaration(key: "directory", kind: .path, help: ""),
  SettingDeclaration(key: "account", kind: .account, help: ""),
]

private func require(_ condition: Bool, _ message: String) {
  if !condition { fatalError(message) }
}

/// Checks that errors are single lines with valid positions.
private func check(at problems: [Diagnostic], lines: Int) {
  require(!problems.isEmpty, "rejected without an error")
  for problem in problems {
    let controls = problem.description.unicodeScalars.contains { $0.properties.generalCategory == .control }
    require(!controls, "a control character in an error")
    require(1...lines ~= problem.position?.line ?? 1, "a line outside the file")
  }
}

/// The entry point of libFuzzer.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzConfiguration(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let bytes = Array(UnsafeBufferPointer(start: start, count: count))
  let lines = bytes.count { $0 == UInt8(ascii: "\n") } + 1
  let secrets = SecretAccess(environment: { _ in nil })
  do throws(Diagnostics) {
    let configuration = try Configuration.read(
      bytes, file: "config.json", directory: "/etc/pabal", secrets: secrets)
    require(!(try configuration.transports().isEmpty), "no route")
    for transport in configuration.transports {
      var problems: [Diagnostic] = []
      let settings = configuration.settings(of: transport, declared: declared, diagnostics: &problems)
      if let settings {
        require(problems.isEmpty && settings.count == declared.count, "settings with errors")
        for setting in settings {
          require(setting.text.literal?.utf8.contains(0) != true, "a setting contains a NUL")
        }
      } else {
        check(at: problems, lines: lines)
      }
    }
  } catch {
    check(at: error.all, lines: lines)
  }
  return 0
}
