/// The values a preview fills a message with.
public enum PreviewSample: String, Sendable, Hashable, CaseIterable {
  /// What a reader will get: the examples of message.json and the values of the site.
  case examples = "examples"
  /// Texts and addresses as long as they come, the service's name among them.
  case long = "long"
  /// Every code is all zeros, which a careless page shows as nothing.
  case zeros = "zeros"

  /// The values of a message's variables.
  func values(_ variables: [MessageDeclaration.Variable]) -> [String: MessageValue] {
    var values: [String: MessageValue] = [:]
    for variable in variables {
      switch (self, variable.kind) {
      case (.long, .text): values[variable.name] = PreviewSample.longText
      case (.long, .url): values[variable.name] = PreviewSample.longURL
      case (.long, .code): values[variable.name] = "98765432"
      case (.long, .duration): values[variable.name] = .duration(.seconds(23 * 3600 + 59 * 60))
      case (.zeros, .code): values[variable.name] = "000000"
      default: if !variable.isSiteWide { values[variable.name] = variable.exampleSource }
      }
    }
    return values
  }

  /// Whether it shows anything that the examples don't.
  func hasContent(_ variables: [MessageDeclaration.Variable]) -> Bool {
    self != .zeros || variables.contains { $0.kind == .code }
  }

  /// With a word that no line of a phone holds, since such a word is what breaks a page.
  private static let longText: MessageValue =
    "대한민국우편물류디지털인증서비스 Donaudampfschifffahrtsgesellschaft & Söhne <Seoul>"
  private static let longURL: MessageValue = .text(
    "https://accounts.example.com/security/sign-ins/"
      + "f3b1c9d27e5a48069c1d2e3f4a5b6c7d8e9f0a1b2c3d4e5f?language=ko-KR&from=mail")
}
