import PabalCommand
import PabalCore
import PabalSubmission

extension ServeRuntime {
  /// Returns the SMTP listeners of `config.json`; `nil` if there are none.
  func submissionServer(_ metrics: ServeMetrics) -> SubmissionServer? {
    let endpoints = initialConfiguration.serve.submissionEndpoints
    guard !endpoints.isEmpty else { return nil }
    return SubmissionServer(
      endpoints, space: FreeSpaceGuard(ofFile: initialConfiguration.storage.file), passwords: passwords,
      report: { event in
        metrics.submissions.handle(event)
        self.log.write(event)
      }, settings: { self.snapshot.submission[$0] })
  }
}

extension SubmissionServer {
  /// Accepts connections, and logs where.
  func start(_ log: ServeLog) async throws(CommandError) {
    do throws(Diagnostic) {
      try await start { endpoint, port in
        switch endpoint {
        case .address(let address):
          log.write(
            "submission listening", ("host", address.host), ("port", "\(port ?? address.port)"))
        case .socket(let path): log.write("submission listening", ("path", path))
        }
      }
    } catch {
      throw CommandError(.configuration, [error])
    }
  }
}

extension ServeLog {
  /// Writes an event of the SMTP listeners.
  func write(_ event: SubmissionEvent) {
    switch event {
    case .submitted(let id, let submitter, let door, let recipients, let bytes):
      write(
        "submitted", ("mail", id), ("submitter", submitter.description), ("door", door.rawValue),
        ("recipients", "\(recipients)"), ("bytes", "\(bytes)"))
    case .refused(let submitter, let door, let code, let status):
      write(
        "submission refused", ("submitter", submitter.description), ("door", door.rawValue),
        ("status", status ?? "\(code)"))
    case .loginFailed(let address, let user):
      write("submission login failed", ("address", address), ("user", user))
    case .loginsLimited(let address): write("submission logins limited", ("address", address))
    case .crowded(let address): write("submission connection refused", ("address", address))
    case .handshakeFailed(let address): write("submission handshake failed", ("address", address))
    }
  }
}
