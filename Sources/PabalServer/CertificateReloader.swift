import PabalCore
import PabalSubmission
import Synchronization

/// Reads certificates again when their files change, as after a renewal.
final class CertificateReloader: Sendable {
  private struct Watched {
    let certificate: ServerCertificate
    var detectors: [FileChangeDetector]
    let path: String
  }

  private let watched = Mutex<[Watched]>([])
  private let log: ServeLog

  init(_ log: ServeLog) { self.log = log }

  /// Reads the certificates of `snapshot` again whose files have changed since they were read. Blocks.
  func check(_ snapshot: SubmissionSnapshot) {
    watched.withLock { watched in
      watched.removeAll { known in !snapshot.certificates.contains { $0.certificate === known.certificate } }
      for (certificate, files) in snapshot.certificates
      where !watched.contains(where: { $0.certificate === certificate }) {
        var detectors = files.map(FileChangeDetector.init)
        for index in detectors.indices {
          _ = detectors[index].hasChanged()
          detectors[index].markHandled()
        }
        watched.append(Watched(certificate: certificate, detectors: detectors, path: files.first ?? ""))
      }
      for index in watched.indices { check(&watched[index]) }
    }
  }

  private func check(_ watched: inout Watched) {
    var hasChanged = false
    for index in watched.detectors.indices where watched.detectors[index].hasChanged() { hasChanged = true }
    // A file may be half written, and a key follows its certificate.
    guard hasChanged, watched.detectors.allSatisfy(\.isStable) else { return }
    for index in watched.detectors.indices { watched.detectors[index].markHandled() }
    do throws(Diagnostic) {
      try watched.certificate.reload()
      log.write("certificate reloaded", ("path", watched.path))
    } catch {
      // The listener keeps the certificate that it has.
      log.report("certificate failed", error)
    }
  }
}
