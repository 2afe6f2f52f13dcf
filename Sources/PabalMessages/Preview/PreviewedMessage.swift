public import PabalCore

/// A message in all its languages, filled with every sample.
public struct PreviewedMessage: Sendable, Hashable {
  /// A message in one language with one sample's values.
  public struct View: Sendable, Hashable {
    /// Whose values it shows.
    public let sample: PreviewSample
    /// The language, a BCP 47 tag.
    public let language: String
    /// The subject.
    public let subject: String
    /// The line an inbox shows beside the subject; empty where there is none.
    public let previewLine: String
    /// The plain text.
    public let text: String
    /// The whole HTML page.
    public let html: String
  }

  /// The message's name.
  public let name: String
  /// What it is for.
  public let purpose: String
  /// By language, in each the samples in their order.
  public let views: [View]

  init(_ message: CompiledMessage) throws(MessageError) {
    var views: [View] = []
    for language in message.languages.values.sorted(by: { $0.tag < $1.tag }) {
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
  /// Every message that loads, or loaded before its last edit, in all languages, and everything wrong with the
  /// files as they are now.
  public func preview() -> (messages: [PreviewedMessage], problems: [Diagnostic]) {
    var messages: [PreviewedMessage] = []
    for name in (try? names()) ?? [] {
      // Why one does not load is among the problems.
      guard let message = try? load(name, ignoringInterval: true),
        let previewed = try? PreviewedMessage(message)
      else {
        continue
      }
      messages.append(previewed)
    }
    return (messages, lint())
  }

  /// A number that changes when any file of the messages does, for one process to compare; cheap, since it
  /// reads no file.
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
