import Glibc
import PabalCore

/// The user who runs the process, and the domain that completes addresses without one.
///
/// They come from the system's user database and from `/etc/mailname`, never from the environment, which may belong to
/// an attacker who reached the caller of sendmail.
package struct LocalUser: Sendable, Equatable {
  /// The login name, or the number of a user without one.
  package let login: String
  /// The full name; `nil` if the user has none.
  package let fullName: String?
  /// The domain of addresses without one: the content of `/etc/mailname`, else the host's name.
  package let domain: String

  /// The user with the process's real user id.
  package static func current() -> LocalUser {
    var (login, name): (String?, String?) = (nil, nil)
    if let entry = getpwuid(getuid()) {
      login = String(validatingCString: entry.pointee.pw_name)
      // Some systems leave the field empty or in Latin-1.
      name = entry.pointee.pw_gecos.flatMap { String(validatingCString: $0) }
    }
    return LocalUser(login: login ?? "\(getuid())", gecos: name ?? "", domain: LocalHosts.current().domain)
  }

  init(login: String, gecos: String, domain: String) {
    self.login = login
    self.domain = domain
    // passwd(5): only the first of the fields separated by commas is the name; "&" stands for the login name.
    let first = String(gecos.prefix { $0 != "," })
    let name = first.replacing("&", with: login.prefix(1).uppercased() + login.dropFirst()).trimmed
    fullName = name.isEmpty ? nil : name
  }
}
