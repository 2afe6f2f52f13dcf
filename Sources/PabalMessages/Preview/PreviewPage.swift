public import PabalCore

/// One HTML page that shows messages as their readers will see them; asks for nothing from outside.
public struct PreviewPage: Sendable, Hashable {
  /// The page.
  public let html: String
  /// A number that tells this page from one with other words.
  public let version: UInt64

  /// Shows every message in every language, and above them what is wrong.
  ///
  /// - Parameters:
  ///   - messages: The messages, as `MessageStore.preview` gives them.
  ///   - problems: What is wrong with the files as they are now.
  ///   - follows: Whether the page loads itself again when `/changes` of its server tells another version.
  public init(_ messages: [PreviewedMessage], problems: [Diagnostic], follows: Bool = false) {
    var writer = PreviewWriter()
    writer.write(problems, isFollowed: follows)
    writer.write(tableOf: messages)
    for message in messages { writer.write(message) }
    // FNV-1a: the same in every process, so that a page outlives the server that sent it.
    var version: UInt64 = 0xCBF2_9CE4_8422_2325
    for octet in writer.html.utf8 { version = (version ^ UInt64(octet)) &* 0x100_0000_01B3 }
    self.version = version
    html = PreviewPage.document(writer.html, follows: follows ? version : nil)
  }

  private static func document(_ main: String, follows version: UInt64?) -> String {
    """
    <!doctype html>
    <html lang="ko">
    <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; \
    script-src 'unsafe-inline'; img-src https: data:; connect-src 'self'; base-uri 'none'; form-action 'none'">
    <title>Pabal: messages</title>
    <style>
    \(PreviewAssets.style)
    </style>
    </head>
    <body>
    <header>
    <strong>파발 · Pabal</strong>
    \(choice("sample", [
      ("examples", "예시 · examples"), ("long", "긴 이름 · long name"), ("zeros", "코드 · code 000000"),
    ]))
    \(choice("width", [("both", "둘 다 · both"), ("phone", "휴대폰 · phone"), ("desktop", "컴퓨터 · desktop")]))
    \(choice("scheme", [("both", "둘 다 · both"), ("light", "밝게 · light"), ("dark", "어둡게 · dark")]))
    </header>
    <main>
    \(main)</main>
    <script>
    \(PreviewAssets.script)\(version.map { "\nfollow(\"\($0)\");" } ?? "")
    </script>
    </body>
    </html>

    """
  }

  private static func choice(_ name: String, _ values: [(value: String, label: String)]) -> String {
    let options = values.enumerated().map { number, option in
      "<label><input type=\"radio\" name=\"\(name)\" value=\"\(option.value)\""
        + "\(number == 0 ? " checked" : "")>\(option.label)</label>"
    }
    return "<fieldset class=\"choice\" aria-label=\"\(name)\">\(options.joined())</fieldset>"
  }
}
