import ArgumentParser
import Glibc
import PabalCommand
import PabalCore
import PabalSubmission

extension Keys {
  /// `pabal keys user`.
  struct User: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Create a password for a program that sends mail by SMTP.",
      discussion: """
        Prints the password, which isn't stored, and the line for "users" in serve.submission in config.json, which \
        holds only its scrypt hash. Run it again for a new password; the old one is invalid once its line is \
        replaced, without a restart.

        Examples:
          pabal keys user printer
          pabal keys user printer --stdin < password.txt
        """)

    @Argument(help: "The user's name, for config.json and the log.")
    var name: String

    @Flag(help: "Read the password from standard input instead of generating one.")
    var stdin = false

    @Flag(help: "Print the result as JSON.")
    var json = false

    private struct Output: Encodable {
      let name: String
      /// Null if it was read from standard input.
      let password: OrNull<String>
      let configured: String
    }

    func validate() throws {
      if let reason = invalidNameReason(name) {
        throw ValidationError("NAME: \(reason); use letters, digits, - and _.")
      }
    }

    func run() throws {
      let generated = stdin ? nil : PasswordHash.randomPassword()
      let password = try generated.map { Array($0.utf8) } ?? Self.readPassword()
      let configured = PasswordHash.make(password).text
      guard !json else {
        return try Terminal.printResult(
          json: Output(name: name, password: OrNull(generated), configured: configured))
      }
      if let generated {
        Terminal.printResult(generated)
        Terminal.printError("The password isn't shown again. In config.json:")
      }
      let line = "\"\(name)\": { \"password\": \"\(configured)\" }"
      if generated == nil {
        Terminal.printResult(line)
      } else {
        Terminal.printError("  \"users\": { \(line) }")
      }
    }

    /// Returns the first line of standard input. A terminal shows a prompt, and not the password.
    private static func readPassword() throws(CommandError) -> [UInt8] {
      var attributes = termios()
      let isTerminal = tcgetattr(STDIN_FILENO, &attributes) == 0
      if isTerminal {
        Terminal.printError(Array("Password: ".utf8))
        var hidden = attributes
        hidden.c_lflag &= ~tcflag_t(ECHO)
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden)
      }
      defer {
        if isTerminal {
          tcsetattr(STDIN_FILENO, TCSAFLUSH, &attributes)
          Terminal.printError("")
        }
      }
      var bytes: [UInt8] = []
      var byte: UInt8 = 0
      while bytes.count <= 1_024, read(STDIN_FILENO, &byte, 1) == 1, byte != UInt8(ascii: "\n") {
        bytes.append(byte)
      }
      if bytes.last == UInt8(ascii: "\r") { bytes.removeLast() }
      guard 8...1_024 ~= bytes.count, !bytes.contains(0) else {
        throw CommandError(
          .usage, "the password: \(bytes.count > 1_024 ? "longer than 1024" : "shorter than 8") bytes",
          remedy: "leave out --stdin to have one generated")
      }
      return bytes
    }
  }
}
