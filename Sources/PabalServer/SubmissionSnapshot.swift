import PabalCommand
import PabalCore
import PabalStorage
import PabalSubmission

/// What the SMTP listeners use until the next reload.
struct SubmissionSnapshot: Sendable {
  private var settings: [SubmissionEndpoint: ListenerSettings] = [:]
  /// The certificates, each with the files that it was read from.
  private(set) var certificates: [(certificate: ServerCertificate, files: [String])] = []

  /// Reads the certificates of a configuration. Blocks.
  ///
  /// A listener that runs, but isn't in the configuration any more, keeps the settings of `previous` until the restart.
  init(
    _ context: CommandContext, _ storage: OpenStorage, _ dispatcher: Dispatcher, log: ServeLog,
    previous: SubmissionSnapshot?
  ) throws(CommandError) {
    let outbox = MailSubmission(
      store: SQLiteVerificationStore(storage.database), keys: storage.keys, dispatch: dispatcher)
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
      let hostName = configuration.host ?? LocalUser.current().domain
      let intake = SubmissionIntake(
        outbox, hostName: hostName,
        report: { error in log.write("storage", ("problem", error.description)) })
      let listener = ListenerSettings(configuration, certificate: certificate, hostName: hostName) {
        submission in
        await intake.submit(submission)
      }
      for endpoint in configuration.endpoints { settings[endpoint] = listener }
    }
    guard problems.isEmpty else { throw CommandError(.configuration, problems) }
    if let previous {
      settings.merge(previous.settings) { current, _ in current }
    }
  }

  /// The settings of new connections at an endpoint.
  subscript(endpoint: SubmissionEndpoint) -> ListenerSettings? { settings[endpoint] }
}

extension ServeConfiguration {
  /// Where the SMTP listeners accept connections, in the order of the configuration.
  var submissionEndpoints: [SubmissionEndpoint] { submission.flatMap(\.endpoints) }
}
