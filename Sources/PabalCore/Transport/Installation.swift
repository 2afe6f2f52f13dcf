internal import Glibc

/// Where Pabal's programs and plugins lie, seen from the program that runs.
package struct Installation: Sendable, Equatable {
  /// The folder that `pabal` is in.
  package let binDirectory: String

  /// The installation that a program is part of, by the program's real path: `pabal`, or `pabal-main`, which
  /// lies beside it or in `../libexec/pabal`.
  package init(program: String) {
    let parts = program.split(separator: "/").dropLast()
    if parts.suffix(2) == ["libexec", "pabal"] {
      binDirectory = Self.path(parts.dropLast(2) + ["bin"])
    } else {
      binDirectory = Self.path(parts)
    }
  }

  /// That of this process; `nil` where `/proc` can't be read.
  package static let current: Installation? = {
    guard let program = realpath("/proc/self/exe", nil) else { return nil }
    defer { free(program) }
    return Installation(program: String(cString: program))
  }()

  /// Where `pabal-main` may be, the best first.
  package var mainProgramPaths: [String] {
    [binDirectory, "\(installPrefix)/libexec/pabal"].map { "\($0)/pabal-main" }
  }

  /// Where plugins may be, the best first.
  package var pluginDirectories: [String] { [binDirectory, "\(installPrefix)/lib/pabal"] }

  private var installPrefix: String { Self.path(binDirectory.split(separator: "/").dropLast()) }

  private static func path(_ parts: some Sequence<Substring>) -> String {
    parts.map { "/\($0)" }.joined()
  }
}
