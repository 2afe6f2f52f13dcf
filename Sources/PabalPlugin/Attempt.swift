internal import CPabalTransport

/// The outcome of an attempt, for the whole mail or for one recipient.
public struct Verdict: Sendable, Hashable {
  /// Which mail `held` affects.
  public enum Scope: Sendable {
    /// All mail: the transport can't send any now.
    case transport
    /// Only this mail.
    case mail
  }

  /// The outcome's number in `pabal_transport.h`; 0 keeps the host's verdict.
  let outcome: Int32
  let scope: Int32
  let retryAfter: Int64

  private init(_ outcome: Int, scope: Int = 0, retryAfter: Int64? = nil) {
    self.outcome = Int32(outcome)
    self.scope = Int32(scope)
    self.retryAfter = retryAfter ?? 0
  }

  /// The next hop took responsibility.
  public static let sent = Verdict(PABAL_SENT)
  /// Not accepted, try later; `retryAfter` in seconds from now, if the server gave it.
  public static func deferred(retryAfter: Int64? = nil) -> Verdict {
    Verdict(PABAL_DEFERRED, retryAfter: retryAfter)
  }
  /// This transport can't carry this mail, and nothing was sent.
  public static let unsuited = Verdict(PABAL_UNSUITED)
  /// This mail or recipient will never be accepted.
  public static let rejected = Verdict(PABAL_REJECTED)
  /// The account or the set-up is at fault; `retryAfter` in seconds from now, if known.
  public static func held(_ scope: Scope, retryAfter: Int64? = nil) -> Verdict {
    Verdict(
      PABAL_HELD, scope: scope == .transport ? PABAL_SCOPE_TRANSPORT : PABAL_SCOPE_MAIL,
      retryAfter: retryAfter)
  }
  /// The last byte was sent and no reply decided.
  public static let unknown = Verdict(PABAL_UNKNOWN)
  /// From `check` only: connected and logged in.
  public static let ready = Verdict(PABAL_READY)
  /// Keeps the verdict that the host set when `accessToken` returned `nil`.
  public static let alreadySet = Verdict(0)

  var cValue: pabal_verdict {
    pabal_verdict(
      size: UInt32(MemoryLayout<pabal_verdict>.size), outcome: outcome, scope: scope, reserved: 0,
      retry_after: retryAfter)
  }
}

/// An access token. Its description never contains the token.
public struct Token: Sendable, Equatable, CustomStringConvertible, CustomDebugStringConvertible,
  CustomReflectable
{
  /// The token itself.
  public let text: String
  /// The seconds until it expires; `nil` if unknown.
  public let expiresIn: Int64?

  /// A token, for tests of a transport; the host's come from `Attempt.accessToken`.
  public init(text: String, expiresIn: Int64?) {
    self.text = text
    self.expiresIn = expiresIn
  }

  /// The type's name, never the token.
  public var description: String { "Token" }
  /// The type's name, never the token.
  public var debugDescription: String { description }
  /// Empty, so that `dump` doesn't print the token.
  public var customMirror: Mirror { Mirror(self, children: []) }
}

/// One call of `send` or `check`, by which a plugin requests tokens and reports results.
///
/// Valid until that call returns, and only on its thread.
public struct Attempt {
  let host: UnsafePointer<pabal_host>
  let attempt: OpaquePointer

  /// Returns a token for the account in the setting `key`; `rejected` is a token that the server just refused.
  ///
  /// If it is `nil`, the host has set verdict and reply: return `.alreadySet`, after reporting recipients that are already decided.
  public func accessToken(_ key: String, rejected: String? = nil) -> Token? {
    var token = pabal_token()
    token.size = UInt32(MemoryLayout<pabal_token>.size)
    guard host.pointee.access_token(attempt, key, rejected, &token) == 0, let text = token.text else {
      return nil
    }
    return Token(text: String(cString: text), expiresIn: token.expires_in > 0 ? token.expires_in : nil)
  }

  /// Reports the server's reply that decided, or in `check` what was found; the last call counts.
  public func reply(_ bytes: UnsafeRawBufferPointer) {
    host.pointee.reply(attempt, bytes.baseAddress?.assumingMemoryBound(to: CChar.self), bytes.count)
  }

  /// Reports the server's reply that decided, or in `check` what was found; the last call counts.
  public func reply(_ text: String) {
    var text = text
    text.withUTF8 { reply(UnsafeRawBufferPointer($0)) }
  }

  /// Reports the id by which the next hop knows the mail.
  public func remoteID(_ text: String) {
    var text = text
    text.withUTF8 {
      host.pointee.remote_id(
        attempt, UnsafeRawPointer($0.baseAddress)?.assumingMemoryBound(to: CChar.self), $0.count)
    }
  }

  /// Reports the outcome for `recipients[index]`, if the server replies for each recipient.
  public func recipient(_ index: Int, _ verdict: Verdict, reply: UnsafeRawBufferPointer) {
    var cValue = verdict.cValue
    host.pointee.recipient(
      attempt, index, &cValue, reply.baseAddress?.assumingMemoryBound(to: CChar.self), reply.count)
  }

  /// Reports the outcome for `recipients[index]`, if the server replies for each recipient.
  public func recipient(_ index: Int, _ verdict: Verdict, reply: String) {
    var reply = reply
    reply.withUTF8 { recipient(index, verdict, reply: UnsafeRawBufferPointer($0)) }
  }
}

/// The host, valid until `close` has returned.
public struct Host: Sendable {
  /// The severity of a log line.
  public enum Level: Sendable { case debug, info, warning, error }

  // The host guarantees that the table is valid and unchanged until close has returned, on any thread.
  nonisolated(unsafe) let host: UnsafePointer<pabal_host>

  /// Logs a line for the operator, which must not contain a password, a token or a mail's content.
  public func log(_ level: Level, _ text: String) {
    let number =
      switch level {
      case .debug: PABAL_LOG_DEBUG
      case .info: PABAL_LOG_INFO
      case .warning: PABAL_LOG_WARNING
      case .error: PABAL_LOG_ERROR
      }
    var text = text
    text.withUTF8 {
      host.pointee.log(
        host, Int32(number), UnsafeRawPointer($0.baseAddress)?.assumingMemoryBound(to: CChar.self), $0.count)
    }
  }
}
