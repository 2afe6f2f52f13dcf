import Glibc

/// What the command finds around it when it starts, some of which would do harm.
package enum ProcessSetup {
  /// Puts right what a caller may have left; before anything else is opened. Doing it twice changes nothing.
  package static func prepare() {
    // A reader that has gone away is an error of one write, not the end of the process.
    signal(SIGPIPE, SIG_IGN)
    signal(SIGXFSZ, SIG_IGN)
    openMissingStandardDescriptors()
    // libcurl would write every session's TLS keys to the file this names.
    unsetenv("SSLKEYLOGFILE")
  }

  /// A standard descriptor that the caller closed would become a file's or a server's, and get what is said to a person.
  private static func openMissingStandardDescriptors() {
    for descriptor in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO] where fcntl(descriptor, F_GETFD) < 0 {
      // The wrong way round, so that reading or writing it is the error that it was.
      _ = open("/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY)
    }
  }

  /// Swift repairs what is not UTF-8, and a repaired address is another address.
  package static func rejectInvalidArguments() throws(CommandError) {
    for index in 1..<max(1, Int(CommandLine.argc)) {
      guard let argument = CommandLine.unsafeArgv[index], String(validatingCString: argument) == nil else {
        continue
      }
      throw CommandError(.input, "argument \(index) is not UTF-8", remedy: "set the terminal to UTF-8")
    }
  }
}
