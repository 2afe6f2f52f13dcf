import Glibc

/// Prepares the process for what a caller may have left in it: signals, descriptors, the environment.
package enum ProcessSetup {
  /// Repairs the state inherited from the caller. Must run before anything is opened; running it twice is harmless.
  package static func prepare() {
    // A closed pipe is an error of one write and must not end the process.
    signal(SIGPIPE, SIG_IGN)
    signal(SIGXFSZ, SIG_IGN)
    openMissingStandardDescriptors()
    // libcurl would write the TLS keys of every session to the file named here.
    unsetenv("SSLKEYLOGFILE")
  }

  /// Opens standard descriptors that the caller closed. Otherwise the next file or socket would get their numbers,
  /// and with them the output meant for the terminal.
  private static func openMissingStandardDescriptors() {
    for descriptor in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO] where fcntl(descriptor, F_GETFD) < 0 {
      // Opened in the opposite direction, so that reading or writing still fails as on a closed descriptor.
      _ = open("/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY)
    }
  }

  /// Throws if an argument isn't UTF-8, because Swift would repair it, and a repaired address is a different address.
  package static func rejectInvalidArguments() throws(CommandError) {
    for index in 1..<max(1, Int(CommandLine.argc)) {
      guard let argument = CommandLine.unsafeArgv[index], String(validatingCString: argument) == nil else {
        continue
      }
      throw CommandError(.input, "argument \(index) isn't valid UTF-8", remedy: "set the terminal to UTF-8")
    }
  }
}
