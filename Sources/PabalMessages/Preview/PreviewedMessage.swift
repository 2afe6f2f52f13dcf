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
      guard let message = try? load(name, ignoringInterval: true), let previewed = try? PreviewedMessage(message) else {
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
