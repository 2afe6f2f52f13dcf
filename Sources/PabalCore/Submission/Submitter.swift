/// The sender of a submission: who handed a mail over by SMTP or `sendmail`.
///
/// The outbox, the log and the metrics name it, and the mail of each submitter gets its turn.
public enum Submitter: Sendable, Hashable, CustomStringConvertible {
  /// A user who proved a password, by the name in `serve.submission`.
  case user(String)
  /// The holder of a client certificate, by the name in `serve.submission`.
  case certificate(String)
  /// A client in a listed network, by its IP address.
  case network(String)
  /// A process on this machine, by the login name of its user, or by the number if the user has no name.
  case local(String)

  /// The submitter as people and programs see it, such as `user:printer` or `local:www-data`.
  public var description: String {
    switch self {
    case .user(let name): "user:\(name)"
    case .certificate(let name): "certificate:\(name)"
    case .network(let address): "network:\(address)"
    case .local(let name): "local:\(name)"
    }
  }
}
