/// Characters that look like those with a meaning in a message, or that can't be seen.
enum LookAlike {
  /// Whether a scalar is `{` or looks like it.
  static func isOpeningBrace(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar {
    case "{", "｛", "﹛", "❴", "⦃", "❲": true
    default: false
    }
  }

  /// Whether a scalar is `}` or looks like it.
  static func isClosingBrace(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar {
    case "}", "｝", "﹜", "❵", "⦄", "❳": true
    default: false
    }
  }

  /// Whether a scalar is a quotation mark that keyboards and editors put in the place of a backtick.
  static func isBacktick(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar {
    case "`", "'", "\"", "‘", "’", "‚", "‛", "“", "”", "„", "‟", "′", "″", "‵", "´", "ˋ", "ˊ", "ʹ", "ʻ", "ʼ",
      "ʽ", "＇",
      "＂", "｀", "❛", "❜", "❝", "❞":
      true
    default: false
    }
  }

  /// Whether a scalar is a dash, or a letter that is used as one.
  static func isDash(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar {
    case "-", "‐", "‑", "‒", "–", "—", "―", "−", "─", "━", "－", "﹣", "﹘", "ー", "ㅡ", "ᅳ", "_", "＿", "~", "～":
      true
    default: false
    }
  }

  /// Whether a scalar is used as the mark of a list's item, without being one in Markdown.
  static func isBullet(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar {
    case "•", "·", "ㆍ", "∙", "‧", "・", "･", "●", "○", "◦", "■", "□", "▪", "▫", "◆", "◇", "▶", "▷", "►", "※",
      "✓", "✔",
      "–", "—", "−", "－", "＊", "＋":
      true
    default: false
    }
  }

  /// Whether a scalar is a space of any width, or a tab.
  static func isBlank(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar {
    case "\n", "\u{2028}", "\u{2029}": false
    default: scalar.properties.isWhitespace || isInvisible(scalar)
    }
  }

  /// Whether a scalar is never visible, on its own or next to others.
  static func isInvisible(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0xAD, 0x34F, 0x61C, 0x115F, 0x1160, 0x180E, 0x200B...0x200F, 0x202A...0x202E, 0x2060...0x206F,
      0x3164,
      0xFEFF, 0xFFA0, 0xFFF9...0xFFFB, 0x1D173...0x1D17A:
      true
    default: false
    }
  }

  /// The ASCII character that a full-width one stands for.
  static func narrowed(_ scalar: Unicode.Scalar) -> Unicode.Scalar {
    (0xFF01...0xFF5E).contains(scalar.value) ? Unicode.Scalar(scalar.value - 0xFEE0) ?? scalar : scalar
  }

  /// Returns the name of a variable that was meant, written in full-width or capital letters, with hyphens or with
  /// invisible characters; `nil` if it can't be a name.
  static func name(_ scalars: some Collection<Unicode.Scalar>) -> String? {
    var name: [Unicode.Scalar] = []
    for scalar in scalars where !isInvisible(scalar) {
      let narrow = narrowed(scalar)
      switch narrow {
      case "A"..."Z": name.append(Unicode.Scalar(UInt8(narrow.value) | 0x20))
      case "-", "‐", "‑": name.append("_")
      case _ where isBlank(narrow): name.append(" ")
      default: name.append(narrow)
      }
    }
    let first = name.firstIndex { $0 != " " } ?? name.startIndex
    let last = name.lastIndex { $0 != " " } ?? first
    guard !name.isEmpty else { return nil }
    return TaggedText.name(name[first...last].map { $0 == " " ? "_" : $0 })
  }
}
