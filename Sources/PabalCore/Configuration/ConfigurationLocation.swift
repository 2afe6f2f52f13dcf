internal import Glibc

extension Configuration {
  /// The path of the file to read: `explicit` (from `--config`), else `$PABAL_CONFIG`, else the first
  /// there is of `./config.json` and `/etc/pabal/config.json`.
  ///
  /// A file that is named is taken even if it isn't there, so that reading it says so.
  public static func locate(
    _ explicit: String?, environment: (String) -> String?
  ) throws(Diagnostic) -> String {
    try locate(explicit, environment: environment, standard: ["config.json", "/etc/pabal/config.json"])
  }

  static func locate(
    _ explicit: String?, environment: (String) -> String?, standard: [String]
  ) throws(Diagnostic) -> String {
    if let explicit { return explicit }
    if let named = environment("PABAL_CONFIG"), !named.isEmpty { return named }
    // A file that is there but can't be read is the one that was meant.
    for path in standard where access(path, F_OK) == 0 || (errno != ENOENT && errno != ENOTDIR) {
      return path
    }
    throw Diagnostic(
      "there is no configuration: neither \(standard.joined(separator: " nor "))",
      remedy: "name one with --config FILE or PABAL_CONFIG")
  }
}
