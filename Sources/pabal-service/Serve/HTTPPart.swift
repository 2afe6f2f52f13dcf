import PabalCommand
import PabalCore
import PabalHTTP

/// The HTTP service, and where it listens.
struct HTTPPart: Sendable {
  let service: HTTPService
  let address: ListenAddress

  /// Answers requests until the service is finished.
  func run(_ log: ServeLog) async throws(Failure) {
    do throws(Diagnostic) {
      try await service.run(on: address) { port in
        log.write("listening", ("host", address.host), ("port", "\(port)"))
      }
    } catch {
      throw Failure(.configuration, [error])
    }
  }
}

extension Served {
  /// The HTTP service of `config.json`; `nil` where none is wanted.
  func httpService(_ attempts: FirstAttempts, _ metrics: ServeMetrics) -> HTTPPart? {
    guard let listen, let http = parts.http else { return nil }
    let service = HTTPService(
      attempts: attempts, readiness: { await self.readiness() }, metrics: { await metrics.text(self) },
      report: { event in
        metrics.heed(event)
        self.log.write(event)
      }, parts: { self.parts.http ?? http })
    return HTTPPart(service: service, address: listen)
  }

  private func readiness() async -> Readiness {
    let conditions = await dispatcher.conditions()
    var detail = Dictionary(conditions.map { ($0.name, $0.words) }) { first, _ in first }
    detail["configuration"] = health.words
    detail["messages"] = parts.messageWords
    return Readiness(isReady: conditions.contains { $0.openness != .closed }, detail: detail)
  }
}

extension ServedParts {
  /// How the messages are, for whoever sends traffic here.
  fileprivate var messageWords: String {
    let problems = messageProblems
    guard let first = problems.first else { return "in use as their files are" }
    let file = first.file.map { "\($0.split(separator: "/").suffix(2).joined(separator: "/")), " } ?? ""
    return "broken: \(file)\(first.told)"
      + (problems.count > 1 ? ", and \(problems.count - 1) more" : "")
  }
}

extension TransportCondition {
  /// How it is, for whoever sends traffic here.
  fileprivate var words: String {
    let held = heldSince.map { "held since \($0.text), " }
    return switch openness {
    case .open: "open"
    case .trial: (held ?? "") + "tried by the next mail"
    case .closed: (held ?? "closed, ") + "tried again at \(until?.text ?? "its time")"
    }
  }
}
