// The standard library keeps NFC behind SPI; the alternatives are ICU, which the cold `pabal send` must not link, and
// tables of our own.
@_spi(_Unicode) internal import Swift

extension String {
  /// The text in Normalization Form C (UAX #15), in which Hangul that macOS decomposed into jamo is whole syllables.
  package var composed: String {
    var text = self
    guard text.withUTF8({ UnicodeComposition.mayChange($0) }) else { return self }
    var composed = String.UnicodeScalarView()
    for scalar in text._nfc { composed.append(scalar) }
    return String(composed)
  }
}

/// Tells which texts Normalization Form C may change.
package enum UnicodeComposition {
  /// Whether NFC may change text that contains this scalar; false for ASCII, Hangul syllables, kana and ideographs.
  package static func mayChange(_ scalar: Unicode.Scalar) -> Bool {
    guard scalar.value >= 0x300 else { return false }
    var text = String(scalar)
    return text.withUTF8 { mayChange($0) }
  }

  /// Whether NFC may change valid UTF-8.
  package static func mayChange(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
    var index = 0
    while index < bytes.count {
      if bytes[index] >= 0xCC, mayChange(bytes, at: index) { return true }
      index += 1
    }
    return false
  }

  /// Whether the scalar of at least two bytes that starts at `index` may be changed by NFC; false for a byte inside a
  /// scalar.
  ///
  /// Looks at the first bytes only, so it is also true for some scalars that NFC keeps.
  package static func mayChange(_ bytes: UnsafeBufferPointer<UInt8>, at index: Int) -> Bool {
    switch bytes[index] {
    // Combining marks; Greek; Hebrew and Arabic points; Indic scripts.
    case 0xCC, 0xCD, 0xCE, 0xD2, 0xD6...0xDF, 0xE0: true
    // Everything from the jamo to the Greek extensions except Vietnamese and its neighbours (U+1E00 to U+1EFF).
    case 0xE1: !(0xB8...0xBB).contains(bytes[index + 1])
    // Letterlike symbols such as the Ångström sign; angle brackets; combining marks.
    case 0xE2: [0x83, 0x84, 0x8C, 0xAB, 0xB3, 0xB5, 0xB7].contains(bytes[index + 1])
    // The voiced marks of kana.
    case 0xE3:
      bytes[index + 1] == 0x80 && bytes[index + 2] >= 0xAA
        || bytes[index + 1] == 0x82 && (0x99...0x9A).contains(bytes[index + 2])
    case 0xEA: (0x99...0xAF).contains(bytes[index + 1])
    // Compatibility ideographs and presentation forms.
    case 0xEF: (0xA4...0xAD).contains(bytes[index + 1])
    // Not emoji.
    case 0xF0: bytes[index + 1] != 0x9F
    default: false
    }
  }
}
