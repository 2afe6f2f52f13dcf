import ArgumentParser
import PabalAccounts
import PabalCommand
import PabalCore
import PabalMessages
import PabalServer
import PabalSubmission

/// `pabal check`: diagnoses the configuration.
struct Check: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check",
    abstract: "Check configuration, plugins, secrets, transports and messages, and suggest fixes.",
    discussion: """
      Opens every transport in config.json, connects to its server and logs in if it has one, and sends \
      nothing. Then does what `pabal serve` needs, with the same code: fetches the secrets, writes to the storage, and \
      listens for a moment on the address in serve.listen. Exit status: 0 no errors, 65 error in a message, 69 to 77 a transport can't send now, 78 error in \
      the configuration.

      Example:
        pabal check --json
      """)

  @Option(help: ArgumentHelp("Check only this transport; repeatable.", valueName: "name"))
  var transport: [String] = []

  @OptionGroup var common: CommonOptions

  /// The result of one check.
  struct Step: Encodable {
    let part: String
    let name: String
    let ok: Bool
    let outcome: OrNull<String>
    let detail: OrNull<String>
    let findings: [DiagnosticOutput]

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
      self.findings = findings.map(DiagnosticOutput.init)
    }
  }

  func run() throws {
    let context = try CommandContext(common)
    var steps: [Step] = []
    var worst = ExitStatus.sent
    var reported: [String] = []
    func add(_ step: Step, _ status: ExitStatus) {
      steps.append(step)
      if !step.ok, status.rawValue > worst.rawValue { worst = status }
      if !common.json { show(step, after: reported) }
    }
    add(
      Step(
        "configuration", context.configuration.file, ok: true, detail: "no errors",
        findings: context.configuration.warnings + context.configuration.commandWarnings
          + context.configuration.localWarnings), .configuration)
    let chosen =
      transport.isEmpty ? context.configuration.transports : try context.transports(transport)
    // Accounts come first, because the transports then log in with the tokens renewed here.
    for account in context.accounts(of: transport.isEmpty ? nil : chosen) {
      for (step, status) in examine(account, context) {
        add(step, status)
        if !step.ok, let reason = step.detail.value { reported.append(reason) }
      }
    }
    for transport in chosen {
      let (step, status) = examine(transport, context)
      add(step, status)
    }
    add(sender(context), .configuration)
    if context.configuration.messages != nil {
      let (step, status) = messages(context)
      add(step, status)
    }
    let (step, status) = storage(context)
    add(step, status)
    if transport.isEmpty {
      for route in context.configuration.specialRoutes {
        let transports = route.transports.joined(separator: ", ")
        add(Step("route", route.key, ok: true, detail: transports), .configuration)
      }
      for mailbox in context.configuration.mailboxes {
        let (step, status) = examine(mailbox, context)
        add(step, status)
      }
      if let step = serve(context) { add(step, .configuration) }
      for listener in context.configuration.serve.submission {
        add(submission(listener, context), .configuration)
      }
    }
    if common.json { try Terminal.printResult(json: steps) }
    if worst != .sent { throw worst.exitCode }
  }

  private func examine(_ transport: TransportConfiguration, _ context: CommandContext) -> (Step, ExitStatus) {
    do throws(CommandError) {
      guard let checked = try context.checked([transport]).first else {
        return (Step("transport", transport.name, ok: false), .configuration)
      }
      var warnings = checked.plugin.warnings
      for setting in checked.settings where setting.isPlaintextSecret {
        warnings.append(context.configuration.plaintextSecretWarning(at: setting.text.location))
      }
      let opened: LoadedTransport
      do throws(Diagnostic) {
        opened = try context.open(checked)
      } catch {
        throw CommandError(.configuration, [error])
      }
      defer { opened.close() }
      let report = opened.check()
      if let problem = report.problem {
        warnings += context.possibleCauses(about: transport, after: problem)
        let step = Step(
          "transport", transport.name, ok: false, outcome: problem, detail: report.reply, findings: warnings)
        return (step, ExitStatus(problem))
      }
      let detail = report.reply ?? "can be opened"
      return (Step("transport", transport.name, ok: true, detail: detail, findings: warnings), .sent)
    } catch {
      return (Step("transport", transport.name, ok: false, findings: error.diagnostics), .configuration)
    }
  }

  private func sender(_ context: CommandContext) -> Step {
    do throws(CommandError) {
      return Step("sender", try context.sender(nil).description, ok: true, detail: "no errors")
    } catch {
      return Step("sender", "from", ok: false, findings: error.diagnostics)
    }
  }

  private func messages(_ context: CommandContext) -> (Step, ExitStatus) {
    let directory = context.configuration.messages?.directory ?? ""
    do throws(CommandError) {
      let findings = try context.messages().store.lint() + (context.configuration.messages?.warnings ?? [])
      let errors = findings.filter { $0.severity == .error }.count
      let detail = errors == 0 ? "no errors" : counted(errors, "error")
      return (Step("messages", directory, ok: errors == 0, detail: detail, findings: findings), .input)
    } catch {
      return (Step("messages", directory, ok: false, findings: error.diagnostics), error.status)
    }
  }

  /// Checks the storage and its key; creates neither.
  private func storage(_ context: CommandContext) -> (Step, ExitStatus) {
    let configuration = context.configuration
    let path = configuration.storage.name
    let warnings = configuration.verification.warnings.map { Diagnostic($0, severity: .warning) }
    do throws(CommandError) {
      guard let storage = try context.checkedStorage() else {
        return (
          Step("storage", path, ok: true, detail: "will be created on first use", findings: warnings), .sent
        )
      }
      defer { storage.database.close() }
      let sweep = OutboxSweep(now: storage.now(), options: context.configuration.outbox.options)
      let unavailableTransports = try blockingAwait { () throws(CommandError) in
        do throws(StorageError) {
          // Mail has to expire even if no `serve` is running.
          _ = try await storage.outbox.sweep(sweep)
          return storage.unavailableTransports(
            try await storage.outbox.read(OutboxQuery(limit: 0, withTransports: true)).transports)
        } catch {
          throw CommandError(error)
        }
      }
      let waits = unavailableTransports.map {
        Diagnostic($0.line, remedy: "once it is fixed, run `pabal outbox retry --all`", severity: .warning)
      }
      let notes: [Diagnostic]
      do throws(StorageError) {
        notes = try storage.database.findings()
      } catch {
        throw CommandError(error)
      }
      return (Step("storage", path, ok: true, detail: "no errors", findings: waits + warnings + notes), .sent)
    } catch {
      return (Step("storage", path, ok: false, findings: error.diagnostics + warnings), error.status)
    }
  }

  /// Checks what else `pabal serve` needs; `nil` if that is nothing.
  private func serve(_ context: CommandContext) -> Step? {
    let listen = context.configuration.serve.listen
    var findings: [Diagnostic] = []
    var detail = "can listen"
    if let listen {
      do throws(Diagnostic) {
        if try ListenCheck.run(listen) { detail = "a running Pabal listens there" }
      } catch {
        findings.append(error)
      }
      if context.configuration.messages == nil {
        findings.append(
          Diagnostic(
            "no messages are configured, which the HTTP API needs",
            remedy: "add \"messages\" with \"directory\" and \"language\""))
      }
    }
    // Without secrets for any transport, it refuses to start.
    if let route = try? context.checked(try context.transports([])) {
      let unopened = route.filter { context.missingSecret($0) != nil }.map(\.name)
      do throws(CommandError) {
        try context.rejectRouteWithoutSecrets(route, unopened: unopened)
      } catch {
        findings += error.diagnostics.suffix(1)
      }
    }
    guard listen != nil || !findings.isEmpty else { return nil }
    return Step(
      "serve", listen?.description ?? "-", ok: findings.isEmpty, detail: findings.isEmpty ? detail : nil,
      findings: findings)
  }

  /// Checks what an SMTP listener needs.
  private func submission(_ listener: SubmissionConfiguration, _ context: CommandContext) -> Step {
    var findings = listener.certificateFindings() + context.senderWarnings(listener)
    var detail = "can listen"
    for endpoint in listener.endpoints {
      do throws(Diagnostic) {
        if try ListenCheck.run(endpoint, isTLS: listener.security == .tls) {
          detail = "a running Pabal listens there"
        }
      } catch {
        findings.append(error)
      }
    }
    if let finding = listener.dropFinding { findings.append(finding) }
    let isOK = !findings.contains { $0.severity == .error }
    return Step(
      "submission", listener.endpoints.map(\.description).joined(separator: ", "), ok: isOK,
      detail: isOK ? detail : nil, findings: findings)
  }

  /// Prints a step. Reasons in `reported` were printed with their accounts and are not repeated.
  private func show(_ step: Step, after reported: [String]) {
    let mark = step.ok ? "ok" : step.outcome.value ?? "error"
    let text = step.detail.value.map { detail in
      reported.reduce(detail) { $0.replacing($1, with: "see above") }
    }
    let detail = text.map { ": \($0.replacing("\n", with: "\n    "))" } ?? ""
    Terminal.printResult("\(mark)  \(step.part) \(step.name)\(detail)")
    for finding in step.findings {
      let location = finding.file.value.map { file in
        finding.line.value.map { "\(file):\($0):\(finding.column.value ?? 1): " } ?? "\(file): "
      }
      let path = finding.path.value.map { "\($0): " } ?? ""
      let remedy = finding.remedy.value.map { "; \($0)" } ?? ""
      Terminal.printResult("    \(location ?? "")\(finding.severity): \(path)\(finding.message)\(remedy)")
    }
  }
}

extension CommandContext {
  /// Returns the accounts used by `transports`, or all accounts for `nil`.
  func accounts(of transports: [TransportConfiguration]?) -> [AccountConfiguration] {
    let used = transports?.flatMap { transport in
      transport.settings.compactMap { member -> String? in
        guard member.key == "account", case .string(let name) = member.value.content else { return nil }
        return name
      }
    }
    return configuration.accounts.filter { used?.contains($0.name) ?? true }
  }

  /// Returns what else may be wrong if a server rejects an account whose tokens are valid: a token of another
  /// mailbox is rejected like an invalid one.
  func possibleCauses(about transport: TransportConfiguration, after problem: Outcome) -> [Diagnostic] {
    guard case .held(.transport, _) = problem else { return [] }
    return accounts(of: [transport]).compactMap { configuration in
      guard let account = (try? account(configuration.name)) as? OAuthAccount, account.canConfirmUser,
        account.status().state != .dead, account.status().storageProblem == nil
      else { return nil }
      return Diagnostic(
        "the account's tokens are valid, but another mailbox than \(account.user) may have logged in",
        remedy: "let Google confirm it: pabal account login \(account.name) --confirm-user",
        severity: .warning)
    }
  }
}
