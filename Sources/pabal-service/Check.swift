import ArgumentParser
import Glibc
import PabalCommand
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
    let outcome: OrNull<String>
    let detail: OrNull<String>
    let findings: [Finding]

    enum CodingKeys: String, CodingKey {
      case part = "part"
      case name = "name"
      case ok = "ok"
      case outcome = "outcome"
      case detail = "detail"
      case findings = "findings"
    }

    init(
      _ part: String, _ name: String, ok: Bool, outcome: Outcome? = nil, detail: String? = nil,
      findings: [Diagnostic] = []
    ) {
      self.part = part
      self.name = name
      self.ok = ok
      self.outcome = OrNull(outcome?.name)
      self.detail = OrNull(detail)
      self.findings = findings.map(Finding.init)
    }
  }

  func run() throws {
    let assembly = try Assembly(common)
    var steps: [Step] = []
    var worst = ExitStatus.sent
    var said: [String] = []
    func add(_ step: Step, _ status: ExitStatus) {
      steps.append(step)
      if !step.ok, status.rawValue > worst.rawValue { worst = status }
      if !common.json { show(step, after: said) }
    }
    add(Step("configuration", assembly.configuration.file, ok: true, detail: "in order"), .configuration)
    let chosen =
      transport.isEmpty ? assembly.configuration.transports : try assembly.transports(transport)
    // Before the transports, which then log in with what is found or renewed here.
    for account in assembly.accounts(of: transport.isEmpty ? nil : chosen) {
      let (step, status) = examine(account, assembly)
      add(step, status)
      if !step.ok, let reason = step.detail.value { said.append(reason) }
    }
    for transport in chosen {
      let (step, status) = examine(transport, assembly)
      add(step, status)
    }
    add(sender(assembly), .configuration)
    if assembly.configuration.messages != nil {
      let (step, status) = messages(assembly)
      add(step, status)
    }
    add(storage(assembly), .configuration)
    if common.json { try Terminal.answer(json: steps) }
    if worst != .sent { throw worst.code }
  }

  private func examine(_ transport: TransportConfiguration, _ assembly: Assembly) -> (Step, ExitStatus) {
    do throws(Failure) {
      guard let checked = try assembly.checked([transport]).first else {
        return (Step("transport", transport.name, ok: false), .configuration)
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
        warnings += assembly.doubts(about: transport, after: problem)
        let step = Step(
          "transport", transport.name, ok: false, outcome: problem, detail: report.reply, findings: warnings)
        return (step, ExitStatus(problem))
      }
      let detail = report.reply ?? "opens"
      return (Step("transport", transport.name, ok: true, detail: detail, findings: warnings), .sent)
    } catch {
      return (Step("transport", transport.name, ok: false, findings: error.diagnostics), .configuration)
    }
  }

  private func sender(_ assembly: Assembly) -> Step {
    do throws(Failure) {
      return Step("sender", try assembly.sender(nil).description, ok: true, detail: "in order")
    } catch {
      return Step("sender", "from", ok: false, findings: error.diagnostics)
    }
  }

  private func messages(_ assembly: Assembly) -> (Step, ExitStatus) {
    let directory = assembly.configuration.messages?.directory ?? ""
    do throws(Failure) {
      let findings = try assembly.messages().store.lint()
      let errors = findings.filter { $0.severity == .error }.count
      let detail = errors == 0 ? "in order" : errors == 1 ? "1 error" : "\(errors) errors"
      return (Step("messages", directory, ok: errors == 0, detail: detail, findings: findings), .input)
    } catch {
      return (Step("messages", directory, ok: false, findings: error.diagnostics), error.status)
    }
  }

  /// The store and its key, as they are: looking makes neither.
  private func storage(_ assembly: Assembly) -> Step {
    let configuration = assembly.configuration
    let path = configuration.storage.path
    let cautions = configuration.verification.cautions.map { Diagnostic($0, severity: .warning) }
    guard access(path, F_OK) == 0 else {
      return Step("storage", path, ok: true, detail: "is made at first use", findings: cautions)
    }
    do throws(Failure) {
      let closed = try assembly.onOutbox { storage throws(StorageProblem) in
        storage.closed(try await storage.outbox.look(OutboxQuery(limit: 0, withTransports: true)).transports)
      }
      let waits = closed.map {
        Diagnostic($0.line, cure: "once that is mended: `pabal outbox retry --all`", severity: .warning)
      }
      return Step("storage", path, ok: true, detail: "in order", findings: waits + cautions)
    } catch {
      return Step("storage", path, ok: false, findings: error.diagnostics + cautions)
    }
  }

  /// Shows a step; what `said` has, the accounts' reasons, a person has read above.
  private func show(_ step: Step, after said: [String]) {
    let mark = step.ok ? "ok" : step.outcome.value ?? "wrong"
    let text = step.detail.value.map { detail in
      said.reduce(detail) { $0.replacing($1, with: "as said above") }
    }
    let detail = text.map { ": \($0.replacing("\n", with: "\n    "))" } ?? ""
    Terminal.answer("\(mark)  \(step.part) \(step.name)\(detail)")
    for finding in step.findings {
      let place = finding.file.value.map { file in
        finding.line.value.map { "\(file):\($0):\(finding.column.value ?? 1): " } ?? "\(file): "
      }
      let path = finding.path.value.map { "\($0): " } ?? ""
      let cure = finding.cure.value.map { "; \($0)" } ?? ""
      Terminal.answer("    \(place ?? "")\(finding.severity): \(path)\(finding.what)\(cure)")
    }
  }
}
