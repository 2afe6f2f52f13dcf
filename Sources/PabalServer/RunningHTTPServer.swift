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
  func httpService(
    _ attempts: AttemptWaiters, _ metrics: ServeMetrics, _ readiness: ServeReadiness
  ) -> RunningHTTPServer? {
    guard let listen, let http = snapshot.http else { return nil }
    let service = HTTPServer(
      attempts: attempts, readiness: { await readiness.current() },
      metrics: { await metrics.text(self, readiness) },
      report: { event in
        metrics.handle(event)
        self.log.write(event)
      }, dependencies: { self.snapshot.http ?? http })
    return RunningHTTPServer(service: service, address: listen)
  }
}
