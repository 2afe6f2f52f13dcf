/// What every command takes.
package struct CommandOptions: Sendable, Equatable {
  /// The configuration; `nil` to look in its usual places.
  package var file: String?
  /// Whether the answer is for a program.
  package var json: Bool
  /// Whether more of what the transports do is told.
  package var verbose: Bool

  package init(file: String? = nil, json: Bool = false, verbose: Bool = false) {
    self.file = file
    self.json = json
    self.verbose = verbose
  }
}
