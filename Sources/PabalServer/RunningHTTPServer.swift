import PabalCommand
import PabalCore
import PabalHTTP

/// The HTTP server and the address that it listens on.
struct RunningHTTPServer: Sendable {
  let service: HTTPServer
  let address: ListenAddress

  /// Serves requests until the server is finished.
  func run(_ log: ServeLog) async throws(CommandError) {
    do throws(Diagnostic) {
      try await service.run(on: address) { port in
        log.write("listening", ("host", address.host), ("port", "\(port)"))
      }
    } catch {
      throw CommandError(.configuration, [error])
    }
  }
}

extension ServeRuntime {
  /// Returns the HTTP server of `config.json`; `nil` if it doesn't listen.
  func httpService(_ attempts: AttemptWaiters, _ metrics: ServeMetrics) -> RunningHTTPServer? {
    guard let listen, let http = snapshot.http else { return nil }
    let service = HTTPServer(
      attempts: attempts, readiness: { await self.readiness() }, metrics: { await metrics.text(self) },
      report: { event in
        metrics.handle(event)
        self.log.write(event)
      }, dependencies: { self.snapshot.http ?? http })
    return RunningHTTPServer(service: service, address: listen)
  }

  private func readiness() async -> Readiness {
    let conditions = await dispatcher.conditions()
    var detail = Dictionary(conditions.map { ($0.name, $0.summary) }) { first, _ in first }
    detail["configuration"] = health.summary
    detail["messages"] = snapshot.messageSummary
    return Readiness(isReady: conditions.contains { $0.availability != .closed }, detail: detail)
  }
}

extension RuntimeSnapshot {
  /// One line about the messages for `/readyz`.
  fileprivate var messageSummary: String {
    let problems = messageProblems
    guard let first = problems.first else { return "up to date" }
    let file = first.file.map { "\($0.split(separator: "/").suffix(2).joined(separator: "/")), " } ?? ""
    return "broken: \(file)\(first.redacted)"
      + (problems.count > 1 ? ", and \(problems.count - 1) more" : "")
  }
}

extension TransportCondition {
  /// One line about the transport for `/readyz`.
  fileprivate var summary: String {
    let held = heldSince.map { "held since \($0.text), " }
    return switch availability {
    case .open: "open"
    case .trial: (held ?? "") + "tried by the next mail"
    case .closed: (held ?? "closed, ") + "tried again at \(until?.text ?? "its time")"
    }
  }
}
