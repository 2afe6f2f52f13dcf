import PabalTesting
import Testing

extension Trait where Self == ConditionTrait {
  /// Runs where there is a browser to look with.
  static var needsChromium: Self {
    .enabled("needs Chromium: ./dev prepare installs it") {
      ["/usr/bin/chromium", "/usr/local/bin/chromium"].contains(where: \.exists)
    }
  }
}
