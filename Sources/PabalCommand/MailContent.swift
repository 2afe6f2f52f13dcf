/// Which mail `send` makes: a message, words from the command line, or a finished file.
package struct MailContent: Sendable, Equatable {
  /// The message; `nil` for `verification`.
  package var message: String?
  /// The languages to look for, the best first; each text may hold several, by commas.
  package var language: [String] = []
  /// Variables of the message, as `name=value`.
  package var variables: [String] = []
  /// The sender, instead of the configuration's.
  package var from: String?
  /// A subject of its own, with `text`, `html` or both.
  package var subject: String?
  /// The words as plain text.
  package var text: String?
  /// The words as HTML.
  package var html: String?
  /// The file of a finished mail; `-` is standard input.
  package var eml: String?

  package init() {}

  /// Why these can't go together, seen before anything is read; `nil` where they can.
  var conflict: String? {
    let own = subject != nil || text != nil || html != nil
    let named = message != nil || !variables.isEmpty
    if eml != nil, own || named || !language.isEmpty {
      return
        "--eml is a finished mail; it goes with none of --message, --language, --set, --subject, --text, --html."
    }
    if own, named { return "--subject, --text and --html go with neither --message nor --set." }
    if own, text == nil, html == nil { return "--subject needs --text or --html." }
    return own && subject == nil ? "--text and --html need --subject." : nil
  }
}
