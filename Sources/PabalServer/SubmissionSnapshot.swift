import PabalCommand
import PabalCore
import PabalStorage
import PabalSubmission

/// What the SMTP listeners and the readers of the drop directories use until the next reload.
struct SubmissionSnapshot: Sendable {
  private var settings: [SubmissionEndpoint: ListenerSettings] = [:]
  private var drops: [String: DropSettings] = [:]
  /// What submitters have submitted since the service was started.
  private let rates: SubmitterRates
  /// The certificates, each with the files that it was read from.
  private(set) var certificates: [(certificate: ServerCertificate, files: [String])] = []

  /// Reads the certificates of a configuration. Blocks.
  ///
  /// A listener that runs, but isn't in the configuration any more, keeps the settings of `previous` until the restart.
  init(
    _ context: CommandContext, _ storage: OpenStorage, _ dispatcher: Dispatcher, log: ServeLog,
    previous: SubmissionSnapshot?
  ) throws(CommandError) {
    let outbox = storage.submission(context.configuration, dispatch: dispatcher)
    rates = previous?.rates ?? SubmitterRates()
    var problems: [Diagnostic] = []
    for configuration in context.configuration.serve.submission {
      var certificate: ServerCertificate?
      if configuration.needsCertificate {
        do throws(Diagnostic) {
          let read = try ServerCertificate(configuration)
          certificates.append((read, ServerCertificate.files(of: configuration)))
          certificate = read
        } catch {
          problems.append(error)
          continue
        }
      }
      let intake = SubmissionIntake(
        outbox, configuration, context.configuration, rates: rates,
        report: { error in log.write("storage", ("problem", error.description)) },
        removedSignatures: { id, signatures in
          // A mail can have thousands.
          for signature in signatures.prefix(10) {
            log.writeRemovedSignature(of: id, domain: signature.domain, changed: signature.changed)
          }
        })
      let listener = ListenerSettings(configuration, certificate: certificate, hostName: intake.hostName) {
        submission in
        await intake.submit(submission)
      }
      for endpoint in configuration.endpoints { settings[endpoint] = listener }
      if let path = configuration.drop, drops[path] == nil {
        drops[path] = DropSettings(
          policy: listener.policy, freeSpace: configuration.limits.freeSpace, intake: intake)
      }
    }
    guard problems.isEmpty else { throw CommandError(.configuration, problems) }
    if let previous {
      settings.merge(previous.settings) { current, _ in current }
      drops.merge(previous.drops) { current, _ in current }
    }
  }

  /// The settings of new connections at an endpoint.
  subscript(endpoint: SubmissionEndpoint) -> ListenerSettings? { settings[endpoint] }

  /// The settings of the drop directory at `path`.
  func drop(_ path: String) -> DropSettings? { drops[path] }
}

/// What holds for the mail of a drop directory. A reload replaces it.
struct DropSettings: Sendable {
  /// The limits of a mail.
  let policy: SMTPSessionPolicy
  /// How many bytes have to be free where the database is.
  let freeSpace: Int
  /// Queues a mail.
  let intake: SubmissionIntake
}

extension SubmissionIntake {
  /// An intake for an element of `serve.submission`, with its rules; by default for a configuration that has none.
  init(
    _ outbox: MailSubmission, _ submission: SubmissionConfiguration?, _ configuration: Configuration,
    rates: SubmitterRates = SubmitterRates(), report: @escaping @Sendable (StorageError) -> Void = { _ in },
    removedSignatures: @escaping @Sendable (String, [RemovedSignature]) -> Void = { _, _ in }
  ) {
    let hosts = LocalHosts.current(configuration.serve.submission.compactMap(\.host))
    self.init(
      outbox, hostName: submission?.host ?? hosts.domain,
      rules: { submission?.rules(for: $0) ?? SenderRules() }, rates: rates, aliases: configuration.aliases,
      hosts: hosts, report: report, removedSignatures: removedSignatures)
  }
}

extension ServeLog {
  /// Writes that a DKIM signature was removed from a mail.
  func writeRemovedSignature(of mail: String, domain: String, changed: [String]) {
    write(
      "signature removed", ("mail", mail), ("domain", String(printable(domain).prefix(255))),
      ("changed", changed.joined(separator: ",")))
  }
}

extension ServeConfiguration {
  /// Where the SMTP listeners accept connections, in the order of the configuration.
  var submissionEndpoints: [SubmissionEndpoint] { submission.flatMap(\.endpoints) }
}
