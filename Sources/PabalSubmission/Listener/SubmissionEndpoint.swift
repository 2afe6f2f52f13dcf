internal import Glibc
internal import NIOCore
internal import NIOPosix
package import PabalCore

/// Where a listener accepts connections.
package enum SubmissionEndpoint: Sendable, Hashable, CustomStringConvertible {
  /// A TCP port.
  case address(ListenAddress)
  /// A Unix socket, by its path.
  case socket(String)

  /// The endpoint as `config.json` has it.
  package var description: String {
    switch self {
    case .address(let address): address.description
    case .socket(let path): path
    }
  }

  /// The way by which its mail is submitted.
  var door: SubmissionDoor {
    switch self {
    case .address: .smtp
    case .socket: .socket
    }
  }

  /// Creates the listening channel. The only place that binds, so that sockets of a service manager can take its place.
  func bind(_ bootstrap: ServerBootstrap) async throws(Diagnostic) -> any Channel {
    switch self {
    case .address(let address):
      do {
        return try await bootstrap.bind(host: address.host, port: address.port).get()
      } catch {
        throw failure((error as? IOError)?.errnoCode)
      }
    case .socket(let path):
      try SubmissionEndpoint.removeStaleSocket(path)
      do {
        let channel = try await bootstrap.bind(unixDomainSocketPath: path).get()
        // Every user may connect; who it is comes from the kernel.
        guard chmod(path, 0o666) == 0 else {
          let number = errno
          try? await channel.close().get()
          throw failure(number)
        }
        return channel
      } catch let error as Diagnostic {
        throw error
      } catch {
        throw failure((error as? IOError)?.errnoCode)
      }
    }
  }

  /// The error for a failed bind(2), listen(2) or chmod(2).
  package func failure(_ number: Int32?) -> Diagnostic {
    let remedy: String? =
      switch (number, self) {
      case (EADDRINUSE, _): "stop the program that listens there, or choose another port"
      case (EACCES, .address): "choose a port from 1024 on, or grant CAP_NET_BIND_SERVICE"
      case (EACCES, .socket), (ENOENT, .socket):
        "create its directory for the user who runs pabal (RuntimeDirectory=pabal for systemd)"
      case (EADDRNOTAVAIL, _): "choose an address of this machine, or 0.0.0.0 for all of them"
      default: nil
      }
    let reason = number.map { String(cString: strerror($0)) } ?? "unknown error"
    return Diagnostic("can't listen on \(self): \(reason)", remedy: remedy, path: "serve.submission")
  }

  /// Removes the socket that a killed process left behind; throws if another process listens there.
  package static func removeStaleSocket(_ path: String) throws(Diagnostic) {
    var status = stat()
    guard lstat(path, &status) == 0 else { return }
    guard status.st_mode & S_IFMT == S_IFSOCK else {
      throw Diagnostic(
        "can't listen on \(path): it exists and isn't a socket", remedy: "remove it, or choose another path",
        path: "serve.submission")
    }
    guard !isAnswering(path) else { throw SubmissionEndpoint.socket(path).failure(EADDRINUSE) }
    guard unlink(path) == 0 || errno == ENOENT else { throw SubmissionEndpoint.socket(path).failure(errno) }
  }

  /// Whether a process accepts connections at a Unix socket.
  package static func isAnswering(_ path: String) -> Bool {
    let socket = Glibc.socket(
      AF_UNIX, CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
    guard socket >= 0 else { return false }
    defer { close(socket) }
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let bytes = Array(path.utf8)
    guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else { return false }
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
    return withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(socket, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0 || errno == EAGAIN
      }
    }
  }
}

extension SubmissionConfiguration {
  /// Where it accepts connections.
  package var endpoints: [SubmissionEndpoint] {
    listen.map { .address($0) } + [socket].compactMap { $0.map { .socket($0) } }
  }

  /// Whether its connections can be encrypted.
  package var needsCertificate: Bool { security != .none && !listen.isEmpty }
}
