internal import CPabalTransport

/// How an attempt ended, for the whole mail or for one recipient.
public struct Verdict: Sendable, Hashable {
  /// How far `held` reaches.
  public enum Scope: Sendable {
    /// No mail can leave through the transport now.
    case transport
    /// Only this mail cannot.
    case mail
  }

  /// The outcome's number in `pabal_transport.h`; 0 leaves what the host has set.
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
  /// Not taken, try later; `retryAfter` in seconds from now, where the far side gave one.
  public static func deferred(retryAfter: Int64? = nil) -> Verdict {
    Verdict(PABAL_DEFERRED, retryAfter: retryAfter)
  }
  /// This transport cannot carry this mail, and nothing left.
  public static let unsuited = Verdict(PABAL_UNSUITED)
  /// This mail or recipient will never be taken.
  public static let rejected = Verdict(PABAL_REJECTED)
  /// The account or the set-up is at fault; `retryAfter` in seconds from now, where known.
  public static func held(_ scope: Scope, retryAfter: Int64? = nil) -> Verdict {
    Verdict(
      PABAL_HELD, scope: scope == .transport ? PABAL_SCOPE_TRANSPORT : PABAL_SCOPE_MAIL,
      retryAfter: retryAfter)
  }
  /// The last byte was handed over and no reply decides.
  public static let unknown = Verdict(PABAL_UNKNOWN)
  /// From `check` only: reached and logged in.
  public static let ready = Verdict(PABAL_READY)
  /// After `accessToken` returned `nil`: the host has set the verdict.
  public static let alreadySet = Verdict(0)

  var cValue: pabal_verdict {
    pabal_verdict(
      size: UInt32(MemoryLayout<pabal_verdict>.size), outcome: outcome, scope: scope, reserved: 0,
      retry_after: retryAfter)
  }
}

/// An access token, lent for one attempt; it prints as nothing but its kind.
public struct Token: Sendable, CustomStringConvertible, CustomReflectable {
  /// The token itself.
  public let text: String
  /// The seconds it still lives, where known.
  public let expiresIn: Int64?

  /// Never the token itself.
  public var description: String { "Token" }
  /// Never the token itself.
  public var customMirror: Mirror { Mirror(self, children: []) }
}

/// One call of `send` or `check`: where the plugin asks for tokens and reports what it was told.
///
/// Valid until that call returns, on its thread alone.
public struct Attempt {
  let host: UnsafePointer<pabal_host>
  let attempt: OpaquePointer

  /// A token for the account the setting `key` names; `rejected` is the one just refused.
  ///
  /// `nil`: the host has set verdict and reply; return `.alreadySet` at once.
  public func accessToken(_ key: String, rejected: String? = nil) -> Token? {
    var token = pabal_token()
    token.size = UInt32(MemoryLayout<pabal_token>.size)
    guard host.pointee.access_token(attempt, key, rejected, &token) == 0, let text = token.text else {
      return nil
    }
    return Token(text: String(cString: text), expiresIn: token.expires_in > 0 ? token.expires_in : nil)
  }

  /// The far side's reply that decided, or in `check` what was found; the last call counts.
  public func reply(_ bytes: UnsafeRawBufferPointer) {
    host.pointee.reply(attempt, bytes.baseAddress?.assumingMemoryBound(to: CChar.self), bytes.count)
  }

  /// The far side's reply that decided, or in `check` what was found; the last call counts.
  public func reply(_ text: String) {
    var text = text
    text.withUTF8 { reply(UnsafeRawBufferPointer($0)) }
  }

  /// The id under which the next hop knows the mail.
  public func remoteID(_ text: String) {
    var text = text
    text.withUTF8 {
      host.pointee.remote_id(
        attempt, UnsafeRawPointer($0.baseAddress)?.assumingMemoryBound(to: CChar.self), $0.count)
    }
  }

  /// What became of `recipients[index]`, where the far side says so for each.
  public func recipient(_ index: Int, _ verdict: Verdict, reply: UnsafeRawBufferPointer) {
    var cValue = verdict.cValue
    host.pointee.recipient(
      attempt, index, &cValue, reply.baseAddress?.assumingMemoryBound(to: CChar.self), reply.count)
  }

  /// What became of `recipients[index]`, where the far side says so for each.
  public func recipient(_ index: Int, _ verdict: Verdict, reply: String) {
    var reply = reply
    reply.withUTF8 { recipient(index, verdict, reply: UnsafeRawBufferPointer($0)) }
  }
}

/// What the host lends for the transport's whole life.
public struct Host: Sendable {
  /// How much a log line matters.
  public enum Level: Sendable { case debug, info, warning, error }

  // The host promises that the table stays valid and unchanged until close has returned, from any thread.
  nonisolated(unsafe) let host: UnsafePointer<pabal_host>

  /// A line for the operator; never a password, a token or a mail's content.
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
