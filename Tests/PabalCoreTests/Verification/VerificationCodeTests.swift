import Synchronization
import Testing

@testable import PabalCore

@Suite struct VerificationCodeTests {
  /// Returns a generator of these numbers.
  private func drawing(_ numbers: [UInt64]) -> () -> UInt64 {
    var rest = numbers[...]
    return { rest.popFirst() ?? 0 }
  }

  @Test func `a code has leading zeros`() {
    #expect(VerificationCode.random(digits: 6, drawing([0])) == "000000")
    #expect(VerificationCode.random(digits: 6, drawing([42])) == "000042")
    #expect(VerificationCode.random(digits: 6, drawing([999_999])) == "999999")
    #expect(VerificationCode.random(digits: 6, drawing([1_000_000])) == "000000")
    #expect(VerificationCode.random(digits: 10, drawing([9_999_999_999])) == "9999999999")
  }

  @Test(arguments: [6, 7, 8, 9, 10])
  func `numbers that would favour low codes are drawn again`(digits: Int) {
    let codes = (0..<digits).reduce(UInt64(1)) { product, _ in product * 10 }
    // The last number that is used, computed in 128 bits.
    let whole = UInt64((UInt128(1) << 64) / UInt128(codes) * UInt128(codes) - 1)
    let last = String(codes - 1)
    #expect(VerificationCode.random(digits: digits, drawing([whole])) == last)
    for biased in [whole + 1, .max] {
      #expect(VerificationCode.random(digits: digits, drawing([biased, whole])) == last)
    }
  }

  @Test func `digits are uniformly distributed at each position`() {
    var generator = SystemRandomNumberGenerator()
    var counts = [[Int]](repeating: [Int](repeating: 0, count: 10), count: 6)
    let rounds = 60_000
    for _ in 0..<rounds {
      let code = VerificationCode.random(digits: 6) { generator.next() }
      for (place, digit) in code.utf8.enumerated() { counts[place][Int(digit) - 0x30] += 1 }
    }
    for place in counts {
      let expected = Double(rounds) / 10
      let square = place.reduce(0) { $0 + (Double($1) - expected) * (Double($1) - expected) / expected }
      // With 9 degrees of freedom, a chi-square above 60 has a probability below 10⁻⁸.
      #expect(square < 60)
    }
  }

  @Test(arguments: [
    "012345", " 012345 ", "012 345", "012-345", "０１２３４５", "0\u{200B}12\u{FEFF}345", "012\u{2013}345",
    "\t0 1 2 3 4 5\r\n", "012\u{3000}345", "012\u{00A0}345", "٠١٢٣٤٥", "012\u{2212}345",
    "\u{202A}012345\u{202C}",
    "012\u{00AD}345", "012\u{034F}345", "012345\u{FE0E}", "0\u{FE0F}\u{20E3}12345", "012ー345", "012ｰ345",
    "012ㅡ345",
    "012345.", "012345。", "０１２３４５．", "012345｡", "\"012345\"", "'012345'", "“012345”", "「012345」", "（012345）",
    "[012345]",
    "012\u{3164}345", "012\u{FFA0}345", "012\u{115F}345", "012\u{180E}345", "012\u{2065}345",
    "\u{E0001}012345",
    "012\u{2060}345", "012\u{2800}345", "`012345´", "012～345", "012·345", "012,345", "०१२३४५", "𝟎𝟏𝟐𝟑𝟒𝟓",
  ])
  func `a code is read with digits of any script and everything that input methods and mail programs add`(
    input: String
  ) {
    #expect(VerificationCode.read(input, digits: 6) == "012345")
  }

  @Test(arguments: [
    "", "01234", "0123456", "01234a", "+12345", "12.345", "½12345", "①②③④⑤⑥", "인증번호", "012345\0", "-",
    "０１２３４",
    String(repeating: " ", count: 60) + "012345",
  ])
  func `other input isn't a code`(input: String) { #expect(VerificationCode.read(input, digits: 6) == nil) }

  @Test func `random strings have five random bits in each character`() {
    #expect(RandomString.make(13, drawing([0, .max])) == "000000000000Z")
    #expect(RandomString.make(26) { .max } == String(repeating: "Z", count: 26))
    #expect(RandomString.make(3, drawing([1 | 2 << 5 | 31 << 10])) == "12Z")
  }
}
