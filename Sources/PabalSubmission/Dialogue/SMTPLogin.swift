package import PabalCore
internal import PabalFormats

/// A user name and a password as a client sent them. Not to be logged.
package struct SMTPCredentials: Sendable, Hashable {
  /// The authorization identity of PLAIN, empty if there is none.
  package var authorization: String
  /// The user name.
  package var user: String
  /// The password.
  package var password: [UInt8]
}

/// The result of a login.
package enum SMTPAuthenticationResult: Sendable, Hashable {
  /// The password is right.
  case accepted(Submitter)
  /// The user doesn't exist, or the password is wrong.
  case rejected
  /// Too many logins; the client should come back later.
  case limited
}

/// The exchange that AUTH begins (RFC 4954): PLAIN (RFC 4616), or LOGIN, which printers and other devices use.
struct SMTPLogin {
  /// What follows a line of the exchange.
  enum Step {
    /// Send a challenge.
    case challenge(SMTPReply)
    /// Judge the credentials.
    case credentials(SMTPCredentials)
  }

  private enum State {
    case plain
    case user
    case password(user: String)
  }

  private var state: State

  /// Begins an exchange with the mechanism in the argument of AUTH.
  private init(_ mechanism: ArraySlice<UInt8>) throws(SMTPReply) {
    if mechanism.isWord("PLAIN") {
      state = .plain
    } else if mechanism.isWord("LOGIN") {
      state = .user
    } else {
      throw .unknownMechanism
    }
  }

  /// Begins an exchange with the argument of AUTH: a mechanism and, optionally, the initial response. Throws the reply
  /// that ends it.
  static func begin(_ argument: ArraySlice<UInt8>) throws(SMTPReply) -> (login: SMTPLogin, step: Step) {
    let words = argument.split(separator: 0x20)
    guard (1...2).contains(words.count) else {
      throw SMTPReply(501, "5.5.4", "AUTH takes a mechanism and, optionally, the initial response")
    }
    var login = try SMTPLogin(words[0])
    guard words.count == 2 else { return (login, .challenge(login.challenge)) }
    // An empty initial response is written as an equals sign.
    let response = words[1].elementsEqual("=".utf8) ? [] : words[1]
    let step = try login.receive(response)
    return (login, step)
  }

  /// Continues with a line from the client. Throws the reply that ends the exchange.
  mutating func receive(_ line: ArraySlice<UInt8>) throws(SMTPReply) -> Step {
    guard !line.elementsEqual("*".utf8) else { throw .loginCancelled }
    let response = try SMTPLogin.decode(line)
    switch state {
    case .plain:
      // authzid NUL authcid NUL passwd (RFC 4616, 2).
      let parts = response.split(separator: 0, omittingEmptySubsequences: false)
      guard parts.count == 3 else { throw .loginMalformed }
      return .credentials(
        SMTPCredentials(
          authorization: try SMTPLogin.text(parts[0]), user: try SMTPLogin.text(parts[1]),
          password: Array(parts[2])))
    case .user:
      state = .password(user: try SMTPLogin.text(response[...]))
      return .challenge(challenge)
    case .password(let user):
      return .credentials(SMTPCredentials(authorization: "", user: user, password: response))
    }
  }

  private var challenge: SMTPReply {
    switch state {
    case .plain: SMTPReply(334, nil, "")
    // "Username:" and "Password:", as clients of LOGIN expect.
    case .user: SMTPReply(334, nil, "VXNlcm5hbWU6")
    case .password: SMTPReply(334, nil, "UGFzc3dvcmQ6")
    }
  }

  private static func decode(_ line: ArraySlice<UInt8>) throws(SMTPReply) -> [UInt8] {
    do throws(Base64Error) {
      return try Base64.decode(line.span)
    } catch {
      throw .loginMalformed
    }
  }

  private static func text(_ bytes: ArraySlice<UInt8>) throws(SMTPReply) -> String {
    guard let text = String(validating: bytes, as: UTF8.self) else { throw .loginMalformed }
    return text
  }
}
