/// SplitMix64, which generates the same numbers from the same seed on every machine.
struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}

extension SeededGenerator {
  /// Returns a text of `count` random pieces, most of which are one grapheme.
  mutating func text(pieces count: Int) -> String {
    let kinds = SeededGenerator.kinds
    let kind = kinds.indices.randomElement(using: &self) ?? 0
    var text = ""
    for _ in 0..<count {
      // Every third text uses only one kind of piece.
      let pick = kind % 3 == 0 ? kinds[kind] : kinds.randomElement(using: &self) ?? kinds[0]
      text += pick(&self)
    }
    return text
  }

  private mutating func scalar(_ range: ClosedRange<UInt32>) -> String {
    Unicode.Scalar(UInt32.random(in: range, using: &self)).map { String(Character($0)) } ?? "?"
  }

  private static let kinds: [@Sendable (inout SeededGenerator) -> String] = [
    { $0.scalar(0xAC00...0xD7A3) },
    { $0.scalar(0x21...0x7E) },
    { _ in " " },
    { $0.scalar(0x61...0x7A) },
    { ["👨‍👩‍👧‍👦", "🏴󠁧󠁢󠁷󠁬󠁳󠁿", "🇰🇷", "👍🏽", "❤️‍🔥", "👩🏿‍❤️‍💋‍👨🏻", "☀️", "1️⃣"].randomElement(using: &$0) ?? "" },
    { $0.scalar(0x1100...0x1112) + $0.scalar(0x1161...0x1175) + $0.scalar(0x11A8...0x11C2) },
    { generator in
      let marks = Int.random(in: 1...30, using: &generator)
      return "e" + (0..<marks).map { _ in generator.scalar(0x0300...0x036F) }.joined()
    },
    {
      ["[Pabal] ", "인증번호 ", "=?", "?=", "=?utf-8?Q?a?=", "_", "\"", ",", "  ", "123456"].randomElement(
        using: &$0) ?? ""
    },
    { $0.scalar(0x4E00...0x9FFF) },
    { $0.scalar(0x0E01...0x0E2E) + $0.scalar(0x0E34...0x0E3A) },
    { $0.scalar(0x0621...0x064A) + $0.scalar(0x064B...0x0652) },
  ]
}
