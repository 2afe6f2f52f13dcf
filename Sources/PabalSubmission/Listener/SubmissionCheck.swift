internal import Glibc
package import PabalCore

extension SubmissionConfiguration {
  /// Returns why this process can't read the drop directory; `nil` if it can, or if there is none. Reads the file system.
  package var dropFinding: Diagnostic? {
    guard let drop else { return nil }
    do throws(DropDirectory.Failure) {
      _ = try DropDirectory.open(drop)
      return nil
    } catch {
      return location.diagnostic("the drop directory \(drop) isn't used: \(error.reason)")
    }
  }

  /// Returns what is wrong with the certificate and its key, for `pabal check`. Blocks.
  package func certificateFindings(at now: Timestamp = .now()) -> [Diagnostic] {
    guard needsCertificate else { return [] }
    var findings: [Diagnostic] = []
    do throws(Diagnostic) {
      let expiry = try ServerCertificate(self).expiry
      let path = certificate ?? ""
      if expiry <= now {
        findings.append(
          location.diagnostic(
            "\(path): expired at \(expiry.text)", remedy: "renew it; clients refuse to connect"))
      } else if expiry - now < .seconds(14 * 86_400) {
        var warning = location.diagnostic(
          "\(path): expires at \(expiry.text)", remedy: "renew it; a running service reads it again by itself"
        )
        warning.severity = .warning
        findings.append(warning)
      }
    } catch {
      findings.append(error)
    }
    var status = stat()
    if let key, stat(key, &status) == 0, status.st_mode & 0o007 != 0 {
      var warning = location.diagnostic(
        "\(key): every user of this machine can read the private key",
        remedy: "chmod o-rwx \(shellQuoted(key))")
      warning.severity = .warning
      findings.append(warning)
    }
    return findings
  }
}
