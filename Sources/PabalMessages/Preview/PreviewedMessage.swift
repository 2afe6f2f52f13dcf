public import PabalCore

/// A message rendered in all its languages with all samples.
public struct PreviewedMessage: Sendable, Hashable {
  /// A message rendered in one language with the values of one sample.
  public struct View: Sendable, Hashable {
    /// The sample whose values it shows.
    public let sample: PreviewSample
    /// The language, a BCP 47 tag.
    public let language: String
    /// The subject.
    public let subject: String
    /// The line that an inbox shows next to the subject; may be empty.
    public let previewLine: String
    /// The plain text.
    public let text: String
    /// The HTML page.
    public let html: String
  }

  /// The message's name.
  public let name: String
  /// What the message is for.
  let purpose: MessagePurpose
  /// The views by language, the default language first, and then by sample.
  public let views: [View]

  init(_ message: CompiledMessage, defaultLanguage: String) throws(MessageError) {
    var views: [View] = []
    let first = defaultLanguage.lowercased()
    for language in message.languages.values.sorted(by: {
      ($0.tag.lowercased() != first ? 1 : 0, $0.tag) < ($1.tag.lowercased() != first ? 1 : 0, $1.tag)
    }) {
      for sample in PreviewSample.allCases where sample.hasContent(message.declaration.variables) {
        let values = sample.values(message.declaration.variables)
        let mail = try message.render(language, values)
        views.append(
          View(
            sample: sample, language: language.tag, subject: mail.subject,
            previewLine: try message.previewLine(language, values), text: mail.text, html: mail.html))
      }
    }
    self.views = views
    name = message.name
    purpose = message.declaration.purpose
  }
}

extension MessageStore {
  /// Returns all messages, each in its last valid version, and all problems in the current files.
  public func preview() -> (messages: [PreviewedMessage], problems: [Diagnostic]) {
    var messages: [PreviewedMessage] = []
    for name in (try? names()) ?? [] {
      // The problems contain the reason why a message doesn't load.
      guard let message = try? load(name, ignoringInterval: true),
        let previewed = try? PreviewedMessage(message, defaultLanguage: language)
      else {
        continue
      }
      messages.append(previewed)
    }
    return (messages, lint())
  }

  /// A hash that changes when any file of the messages changes. Cheap, because it reads only file attributes; comparable
  /// only within one process.
  public var filesStamp: Int {
    var hasher = Hasher()
    hasher.combine(directory.layoutStamp())
    for name in (try? names()) ?? [] {
      hasher.combine(name)
      hasher.combine(directory.stamps(of: name))
    }
    return hasher.finalize()
  }
}

/// The sets of values that a preview shows.
public enum PreviewSample: String, Sendable, Hashable, CaseIterable {
  /// The examples from message.json and the site-wide values.
  case examples = "examples"
  /// Very long texts and addresses, including the name of the service.
  case long = "long"
  /// Codes of zeros, which a faulty page may show as nothing.
  case zeros = "zeros"

  /// Returns the values for a message's variables.
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

  /// Whether the sample differs from the examples for a message with these variables.
  func hasContent(_ variables: [MessageDeclaration.Variable]) -> Bool {
    self != .zeros || variables.contains { $0.kind == .code }
  }

  /// Contains a word that is longer than a line on a phone, because such words break pages.
  private static let longText: MessageValue =
    "대한민국우편물류디지털인증서비스 Donaudampfschifffahrtsgesellschaft & Söhne <Seoul>"
  private static let longURL: MessageValue = .text(
    "https://accounts.example.com/security/sign-ins/"
      + "f3b1c9d27e5a48069c1d2e3f4a5b6c7d8e9f0a1b2c3d4e5f?language=ko-KR&from=mail")
}
