/// A Korean particle whose form depends on the last sound of the word before it.
struct Particle: Sendable, Hashable {
  let afterVowel: String
  let afterRieul: String
  let afterConsonant: String
  /// The particle as written by the author, which is kept after a word of unknown pronunciation.
  let written: String

  /// Returns the form after a word that ends in `sound`.
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
  /// Returns the particle at the start of `text`, if any.
  static func written(at text: ArraySlice<Unicode.Scalar>) -> Particle? {
    // A fast check, because this runs for every character of every file.
    guard let first = text.first, isStart(first) else { return nil }
    for entry in all where entry.scalars[0] == first && text.starts(with: entry.scalars) {
      return entry.particle
    }
    // (이)라, (이)나, (이)랑, (이)며 … only drop the 이.
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

  /// Common misspellings of (이)에요.
  static let misspelled: Set<String> = [
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
    for written in misspelled { add("예요", "이에요", written) }
    // After a vowel, 이었 and 이어 contract to 였 and 여.
    add("였", "이었", "(이)었", "이었(였)", "이었/였", "였/이었")
    add("여", "이어", "(이)어", "이어/여", "여/이어")
    return all
  }()
}

/// A particle in a text that is written in both forms, known to Pabal or not.
struct ParticlePair: Sendable {
  /// The text as written.
  let written: String
  /// The particle, if Pabal knows it.
  let particle: Particle?
  /// The correct spelling of the particle that was most likely meant.
  let canonical: String

  /// The length in scalars.
  var count: Int { written.unicodeScalars.count }
}

extension ParticlePair {
  /// Finds a pair of forms that starts at `start`.
  ///
  /// With `isAfterVariable`, also accepts forms that are particles only after a variable: `(이)라`, `(은)`.
  init?(at start: Int, in text: [Unicode.Scalar], isAfterVariable: Bool) {
    guard ParticlePair.mayStart(at: start, in: text) else { return nil }
    if let particle = Particle.written(at: text[start...]) {
      let end = start + particle.written.unicodeScalars.count
      let isCut = particle.written.contains("/") && ParticlePair.isHangul(end, in: text)
      let isPlain = particle.written != "(이)" || isAfterVariable || ParticlePair.isHangul(start - 1, in: text)
      if !isCut, isPlain {
        self.init(
          written: particle.written, particle: particle,
          canonical: Particle.misspelled.contains(particle.written) ? "(이)에요" : particle.written)
        return
      }
    }
    guard
      let (end, forms) = text[start] == "("
        ? ParticlePair.bracket(at: start, in: text, isAfterVariable: isAfterVariable)
        : ParticlePair.pair(at: start, in: text)
    else { return nil }
    self.init(
      written: String(scalars: text[start..<end]), particle: nil,
      canonical: ParticlePair.canonicalForm(of: forms))
  }

  /// A fast check, because this runs for every character of every file.
  private static func mayStart(at start: Int, in text: [Unicode.Scalar]) -> Bool {
    if text[start] == "(" { return isHangul(start + 1, in: text) }
    guard isHangul(start, in: text) else { return false }
    for index in (start + 1)..<(start + 2 + maxFormLength) where index < text.count {
      if text[index] == "(" || text[index] == "/" { return isHangul(index + 1, in: text) }
      if !isHangul(index, in: text) { return false }
    }
    return false
  }

  /// The maximum length of one form in syllables (이라고).
  private static let maxFormLength = 3

  private static let basicForms: Set<String> = ["은", "는", "이", "가", "을", "를", "와", "과", "으로", "로", "아", "야"]

  /// Matches two forms of one or two particles: `이라(라)`, `은/를`.
  private static func pair(at start: Int, in text: [Unicode.Scalar]) -> (end: Int, forms: [String])? {
    let left = hangul(from: start, in: text)
    let mark = left.upperBound
    guard left.count <= maxFormLength, mark < text.count, text[mark] == "(" || text[mark] == "/" else {
      return nil
    }
    let right = hangul(from: mark + 1, in: text)
    guard (1...maxFormLength).contains(right.count) else { return nil }
    var end = right.upperBound
    if text[mark] == "(" {
      guard end < text.count, text[end] == ")" else { return nil }
      end += 1
    }
    let forms = [String(scalars: text[left]), String(scalars: text[right])]
    let isBasic = forms.allSatisfy(basicForms.contains)
    guard isBasic || forms[0] == "이" + forms[1] || forms[1] == "이" + forms[0] else { return nil }
    return (end, forms)
  }

  /// Matches a form in parentheses and the syllable after it: `(오)로`, `(이)`, `있(으)면`.
  private static func bracket(
    at start: Int, in text: [Unicode.Scalar], isAfterVariable: Bool
  ) -> (end: Int, forms: [String])? {
    let inside = hangul(from: start + 1, in: text)
    let close = inside.upperBound
    guard close < text.count, text[close] == ")" else { return nil }
    let form = String(scalars: text[inside])
    let next = isHangul(close + 1, in: text) ? String(text[close + 1]) : nil
    if !isAfterVariable {
      guard form == "으", next != nil, isHangul(start - 1, in: text) else { return nil }
      return (close + 1, [form])
    }
    // (가) and (여) alone may be words of their own.
    if let next, basicForms.contains(next), basicForms.contains(form) || form == "오" || form == "으" {
      return (close + 2, [form, next])
    }
    guard form == "으" || basicForms.contains(form), next == nil, form != "가" else { return nil }
    return (close + 1, [form])
  }

  private static func canonicalForm(of forms: [String]) -> String {
    for form in forms { if let canonical = canonicalByForm[form] { return canonical } }
    // Pairs such as 이라 and 라.
    return "(이)" + (forms.min { $0.utf8.count < $1.utf8.count } ?? "라")
  }

  private static let canonicalByForm = [
    "은": "은(는)", "는": "은(는)", "이": "이(가)", "가": "이(가)", "을": "을(를)", "를": "을(를)", "와": "와(과)", "과": "와(과)",
    "으로": "(으)로", "으": "(으)로", "로": "(으)로", "아": "아(야)", "야": "아(야)",
  ]

  private static func hangul(from start: Int, in text: [Unicode.Scalar]) -> Range<Int> {
    var end = start
    // Read one syllable more than allowed, so that the caller sees that the form is too long.
    while end <= start + maxFormLength, isHangul(end, in: text) { end += 1 }
    return start..<end
  }

  private static func isHangul(_ index: Int, in text: [Unicode.Scalar]) -> Bool {
    text.indices.contains(index) && (0xAC00...0xD7A3).contains(text[index].value)
  }
}
