import PabalCommand
import PabalCore
import PabalHTTP
import PabalMessages
import PabalStorage

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

extension Assembly {
  /// The HTTP service of `config.json`, whose mail `dispatcher` sends; `nil` where none is wanted.
  func httpService(
    _ storage: StoragePart, _ dispatcher: Dispatcher, _ attempts: FirstAttempts, _ log: ServeLog,
    demo: DemoParts?
  ) throws(Failure) -> HTTPPart? {
    guard let address = configuration.serve.listen else {
      guard demo == nil else {
        throw Failure(
          .configuration, "--demo needs an address to listen on",
          cure: "add \"serve\": {\"listen\": \"127.0.0.1:8025\", \"keyless\": true} to config.json")
      }
      return nil
    }
    var parts = HTTPParts(
      verifications: try verifications(storage, dispatch: dispatcher),
      door: FrontDoor(store: SQLiteVerifications(storage.database), keys: storage.keys, dispatch: dispatcher),
      words: MessageMails(try messages().store, from: try sender(nil)), access: configuration.serve)
    parts.demo = demo
    let service = HTTPService(
      attempts: attempts,
      readiness: {
        let openness = await dispatcher.openness()
        return Readiness(
          isReady: openness.isEmpty || openness.values.contains(true),
          detail: openness.mapValues { $0 ? "open" : "closed" })
      },
      report: log.write, parts: { [parts] in parts })
    return HTTPPart(service: service, address: address)
  }
}
