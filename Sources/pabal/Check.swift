import ArgumentParser
import PabalCore
import PabalMessages

/// `pabal check`: the doctor.
struct Check: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check",
    abstract: "Check configuration, plugins, secrets, transports and messages, and say what to do.",
    discussion: """
      Opens every transport of config.json, reaches its far side and logs in where it has one, and sends \
      nothing. Exit status: 0 all is well, 65 a message is wrong, 69 to 77 a transport can't send now, 78 the \
      configuration is wrong.

      Example:
        pabal check --json
      """)

  @Option(help: ArgumentHelp("Check only this transport; repeatable.", valueName: "name"))
  var transport: [String] = []

  @OptionGroup var common: CommonOptions

  /// One thing looked at.
  struct Step: Encodable {
    let part: String
    let name: String
    let ok: Bool
    let outcome: String?
    let detail: String?
    let findings: [Finding]
  }

  func run() throws {
    if common.json { Terminal.keepOutputClean() }
    let assembly = try Assembly(common)
    var steps: [Step] = []
    var worst = ExitStatus.sent
    func add(_ step: Step, _ status: ExitStatus) {
      steps.append(step)
      if !step.ok, status.rawValue > worst.rawValue { worst = status }
      if !common.json { show(step) }
    }
    add(
      Step(
        part: "configuration", name: assembly.configuration.file, ok: true, outcome: nil,
        detail: "in order", findings: []), .configuration)
    let chosen =
      transport.isEmpty
      ? assembly.configuration.transports : try assembly.route(transport)
    // Before the transports, which then log in with what is found or renewed here.
    for account in assembly.oauthAccounts(of: transport.isEmpty ? nil : chosen) {
      let (step, status) = examine(account)
      add(step, status)
    }
    for transport in chosen {
      let (step, status) = examine(transport, assembly)
      add(step, status)
    }
    add(sender(assembly), .configuration)
    if assembly.configuration.messages != nil { add(messages(assembly), .input) }
    if common.json { try Terminal.answer(json: steps) }
    if worst != .sent { throw worst.code }
  }

  private func examine(_ transport: TransportConfiguration, _ assembly: Assembly) -> (Step, ExitStatus) {
    func step(_ ok: Bool, _ outcome: Outcome?, _ detail: String?, _ findings: [Diagnostic]) -> Step {
      Step(
        part: "transport", name: transport.name, ok: ok, outcome: outcome?.name, detail: detail,
        findings: findings.map(Finding.init))
    }
    do throws(Failure) {
      guard let checked = try assembly.checked([transport]).first else {
        return (step(false, nil, nil, []), .configuration)
      }
      var warnings = checked.plugin.warnings
      for setting in checked.settings where setting.isSecretInClear {
        warnings.append(
          Diagnostic(
            "a secret stands in clear in the file",
            cure: "use {\"env\": …}, {\"file\": …} or {\"command\": …}", file: setting.text.place.file,
            position: setting.text.place.position, path: setting.text.place.path, severity: .warning))
      }
      let opened: LoadedTransport
      do throws(Diagnostic) {
        opened = try assembly.open(checked)
      } catch {
        throw Failure(.configuration, [error])
      }
      defer { opened.close() }
      let report = opened.check()
      if let problem = report.problem {
        return (step(false, problem, report.reply, warnings), ExitStatus(problem))
      }
      return (step(true, nil, report.reply ?? "opens", warnings), .sent)
    } catch {
      return (step(false, nil, nil, error.diagnostics), .configuration)
    }
  }

  private func sender(_ assembly: Assembly) -> Step {
    do throws(Failure) {
      let sender = try assembly.sender(nil)
      return Step(
        part: "sender", name: sender.description, ok: true, outcome: nil, detail: "in order", findings: [])
    } catch {
      return Step(
        part: "sender", name: "from", ok: false, outcome: nil, detail: nil,
        findings: error.diagnostics.map(Finding.init))
    }
  }

  private func messages(_ assembly: Assembly) -> Step {
    let directory = assembly.configuration.messages?.directory ?? ""
    do throws(Failure) {
      let findings = try assembly.messages().store.lint()
      let errors = findings.filter { $0.severity == .error }.count
      return Step(
        part: "messages", name: directory, ok: errors == 0, outcome: nil,
        detail: errors == 0 ? "in order" : "\(errors) errors", findings: findings.map(Finding.init))
    } catch {
      return Step(
        part: "messages", name: directory, ok: false, outcome: nil, detail: nil,
        findings: error.diagnostics.map(Finding.init))
    }
  }

  private func show(_ step: Step) {
    let mark = step.ok ? "ok" : step.outcome ?? "wrong"
    let detail = step.detail.map { ": \($0.replacing("\n", with: "\n    "))" } ?? ""
    Terminal.answer("\(mark)  \(step.part) \(step.name)\(detail)")
    for finding in step.findings {
      let place = finding.file.map { file in
        finding.line.map { "\(file):\($0):\(finding.column ?? 1): " } ?? "\(file): "
      }
      let path = finding.path.map { "\($0): " } ?? ""
      let cure = finding.cure.map { "; \($0)" } ?? ""
      Terminal.answer("    \(place ?? "")\(finding.severity): \(path)\(finding.what)\(cure)")
    }
  }
}
