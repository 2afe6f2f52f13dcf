internal import Glibc

/// The locations of Pabal's programs and plugins, derived from the running program.
package struct Installation: Sendable, Equatable {
  /// The directory that contains `pabal`.
  package let binDirectory: String

  /// Creates the installation that contains the program with the real path `program`: `pabal`, or `pabal-main`, which
  /// is next to it or in `../libexec/pabal`.
  package init(program: String) {
    let parts = program.split(separator: "/").dropLast()
    if parts.suffix(2) == ["libexec", "pabal"] {
      binDirectory = Self.path(parts.dropLast(2) + ["bin"])
    } else {
      binDirectory = Self.path(parts)
    }
  }

  /// The installation of this process; `nil` if `/proc` can't be read.
  package static let current: Installation? = {
    guard let program = realpath("/proc/self/exe", nil) else { return nil }
    defer { free(program) }
    return Installation(program: String(cString: program))
  }()

  /// The paths where `pabal-main` may be, in order of preference.
  package var mainProgramPaths: [String] {
    [binDirectory, "\(installPrefix)/libexec/pabal"].map { "\($0)/pabal-main" }
  }

  /// The directories where plugins may be, in order of preference.
  package var pluginDirectories: [String] { [binDirectory, "\(installPrefix)/lib/pabal"] }

  private var installPrefix: String { Self.path(binDirectory.split(separator: "/").dropLast()) }

  private static func path(_ parts: some Sequence<Substring>) -> String {
    parts.map { "/\($0)" }.joined()
  }
}
