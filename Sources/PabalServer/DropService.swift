import PabalCommand
import PabalCore
import PabalStorage
import PabalSubmission

/// Reads the drop directories of `pabal sendmail` while `pabal serve` runs.
struct DropService: Sendable {
  private let readers: [Task<Void, Never>]

  /// Starts to read the directories of the configuration that `runtime` was started with.
  init(_ runtime: ServeRuntime, _ metrics: ServeMetrics) {
    let log = runtime.log
    let space = FreeSpaceGuard(ofFile: runtime.initialConfiguration.storage.file)
    var seen: Set<String> = []
    readers = runtime.initialConfiguration.serve.submission.compactMap { configuration in
      guard let path = configuration.drop, seen.insert(path).inserted else { return nil }
      let reader = DropReader(
        path, policy: { runtime.snapshot.submission.drop(path)?.policy ?? SMTPSessionPolicy() },
        submit: { submission, id in
          guard let settings = runtime.snapshot.submission.drop(path) else {
            return .refused(SMTPReply(451, "4.3.0", "the drop directory isn't configured any more"))
          }
          guard space.hasRoom(settings.freeSpace) else { return .refused(FreeSpaceGuard.fullReply) }
          var submission = submission
          submission.id = id
          return await settings.intake.submit(submission)
        },
        reportRefusal: { batch, id, submitter, reply in
          guard let intake = runtime.snapshot.submission.drop(path)?.intake else { return .none(nil) }
          return await intake.reportRefusal(
            of: batch, id: id, submitter: submitter, refusal: reply,
            options: runtime.snapshot.dispatcherOptions.reports)
        },
        report: { event in
          log.write(event, path: path)
          if case .reported(let id, let report, let recipients) = event {
            let event = DispatcherEvent.reported(
              id: id, report: report, action: DeliveryReport.Action.failed.rawValue, recipients: recipients)
            metrics.handle(event)
            log.write(event)
          }
          if let submission = SubmissionEvent(event) {
            metrics.submissions.handle(submission)
            log.write(submission)
          }
        })
      return Task.detached { await reader.run() }
    }
  }

  /// Stops after the mail that is being read.
  func finish() async {
    for reader in readers { reader.cancel() }
    for reader in readers { await reader.value }
  }
}

extension SubmissionEvent {
  /// The event as that of any submission; `nil` if it is about the directory.
  fileprivate init?(_ event: DropReader.Event) {
    switch event {
    case .queued(let id, let submitter, let recipients, let bytes):
      self = .submitted(id: id, submitter: submitter, door: .drop, recipients: recipients, bytes: bytes)
    case .refused(_, let submitter, let reply):
      self = .refused(submitter: submitter, door: .drop, code: reply.code, status: reply.status)
    case .reported, .delayed, .unusable, .closed: return nil
    }
  }
}

extension ServeLog {
  /// Writes an event of the drop directory at `path`.
  fileprivate func write(_ event: DropReader.Event, path: String) {
    switch event {
    case .queued, .reported: break
    case .refused(let id, _, let reply):
      write("drop refused", ("path", path), ("mail", id), ("problem", reply.line))
    case .delayed(let id, let reply):
      write("drop delayed", ("path", path), ("mail", id), ("problem", reply.line))
    case .unusable(let name, let problem):
      write("drop unusable", ("path", path), ("name", name), ("problem", problem))
    case .closed(let problem): write("drop closed", ("path", path), ("problem", problem))
    }
  }
}
