/// A Korean particle whose form depends on the last sound of the word before it.
struct Particle: Sendable, Hashable {
  let afterVowel: String
  let afterRieul: String
  let afterConsonant: String
  /// As the author wrote it; it stays so after a word that nobody can read.
  let written: String

  /// The form after a word that ends in `sound`.
  func form(after sound: LastSound?) -> String {
    switch sound {
    case .vowel: afterVowel
    case .rieul: afterRieul
    case .consonant: afterConsonant
    case nil: written
    }
  }
}

extension Particle {
  /// The particle written at the start of `text`, if one is.
  static func written(at text: ArraySlice<Unicode.Scalar>) -> Particle? {
    // Looked for at every character of every file, and almost never there.
    guard let first = text.first, isStart(first) else { return nil }
    for entry in all where entry.scalars[0] == first && text.starts(with: entry.scalars) {
      return entry.particle
    }
    // (이)라, (이)나, (이)랑, (이)며 … all drop the 이 alone.
    if text.starts(with: optionalI), let next = text.dropFirst(optionalI.count).first,
      next.value >= 0xAC00 && next.value <= 0xD7A3
    {
      return Particle(afterVowel: "", afterRieul: "이", afterConsonant: "이", written: "(이)")
    }
    return nil
  }

  private static func isStart(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar {
    case "(", "은", "는", "이", "가", "을", "를", "와", "과", "으", "로", "아", "야", "예", "였", "여", "에": true
    default: false
    }
  }

  /// Writings of (이)에요 that are often seen and wrong; what they mean is beyond doubt.
  static let misspelt: Set<String> = [
    "(이)예요", "이예요(예요)", "예요(이예요)", "이예요/예요", "예요/이예요", "이에요(에요)", "이에요/에요", "에요(이에요)", "에요/이에요",
  ]

  private static let optionalI = Array("(이)".unicodeScalars)

  private static let all: [(scalars: [Unicode.Scalar], particle: Particle)] = {
    var all: [(scalars: [Unicode.Scalar], particle: Particle)] = []
    func add(_ vowel: String, _ consonant: String, rieul: String? = nil, _ writings: String...) {
      for written in writings {
        let particle = Particle(
          afterVowel: vowel, afterRieul: rieul ?? consonant, afterConsonant: consonant, written: written)
        all.append((Array(written.unicodeScalars), particle))
      }
    }
    add("는", "은", "은(는)", "는(은)", "(은)는", "(는)은", "은/는", "는/은")
    add("가", "이", "이(가)", "가(이)", "(이)가", "(가)이", "이/가", "가/이")
    add("를", "을", "을(를)", "를(을)", "(을)를", "(를)을", "을/를", "를/을")
    add("와", "과", "와(과)", "과(와)", "(와)과", "(과)와", "와/과", "과/와")
    add("로", "으로", rieul: "로", "(으)로", "으로(로)", "로(으로)", "으로/로", "로/으로")
    add("야", "아", "아(야)", "야(아)", "(아)야", "(야)아", "아/야", "야/아")
    add("예요", "이에요", "(이)에요", "이에요(예요)", "예요(이에요)", "이에요/예요", "예요/이에요")
    for written in misspelt { add("예요", "이에요", written) }
    // After a vowel 이었 and 이어 are drawn together.
    add("였", "이었", "(이)었", "이었(였)", "이었/였", "였/이었")
    add("여", "이어", "(이)어", "이어/여", "여/이어")
    return all
  }()
}
