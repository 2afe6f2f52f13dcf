import Foundation
import PabalCore
import Testing

@Suite struct SubjectTests {
  /// 2,400 random subjects of 1 to 400 pieces, and some hand-written ones.
  private static let subjects: [String] = {
    var generator = SeededGenerator(seed: 20_261_123)
    var subjects = [
      "가장 높은 산", "회원가입 인증번호", "a", " ", "  a  ", "=?utf-8?B?YQ==?=", "plain", "a  b",
      String(repeating: "a", count: 400), String(repeating: "a ", count: 200),
      String(repeating: "가", count: 400),
      String(repeating: "👨‍👩‍👧‍👦", count: 400), String(repeating: "é", count: 400),
      "e" + String(repeating: "\u{301}", count: 399),
      String(repeating: "x", count: 69), String(repeating: "x", count: 70),
      String(repeating: " ", count: 400),
      String(repeating: "word ", count: 60) + "end", "tab-less, “quoted”, and ünïcödé", "\u{301}leading mark",
    ]
    for i in 0..<2_400 {
      // Prefer short subjects, which are typical.
      let limit = [5, 40, 400][i % 3]
      subjects.append(generator.text(pieces: Int.random(in: 1...limit, using: &generator)))
    }
    return subjects
  }()

  private func mail(_ subject: String) throws -> [UInt8] {
    let address = try Address("a@b.example")
    return try MailDraft(from: Mailbox(address), to: [Mailbox(address)], subject: subject, text: "x")
      .finish(identity: .fixed).bytes
  }

  @Test(arguments: ExternalMailParser.allCases)
  func `other parsers read a subject unchanged`(reader: ExternalMailParser) async throws {
    let read = try await reader.readSubjects(SubjectTests.subjects.map(mail))
    try #require(read.count == SubjectTests.subjects.count)
    // Compare bytes, because Swift compares precomposed and decomposed é as equal.
    for (expected, parsed) in zip(SubjectTests.subjects, read)
    where Array(expected.utf8) != Array(parsed.utf8) {
      Issue.record("\(expected.debugDescription) reads \(parsed.debugDescription)")
    }
  }

  @Test func `lines have at most 78 bytes of ASCII and encoded words at most 75`() throws {
    for subject in SubjectTests.subjects {
      for line in try lines(of: subject) {
        #expect(line.utf8.count <= 78)
        #expect(line.utf8.allSatisfy { (0x20...0x7E).contains($0) })
        #expect(line.dropFirst("Subject:".count).contains { $0 != " " } || line == "Subject:")
      }
      for word in try encodedWords(of: subject) { #expect(word.written.utf8.count <= 75) }
    }
  }

  @Test func `a word splits neither a code point nor a grapheme that fits into one word`() throws {
    for subject in SubjectTests.subjects {
      // A word may end after each grapheme, and anywhere in a grapheme of more than 45 bytes.
      var ends = Set<Int>()
      var offset = 0
      for grapheme in subject {
        let scalars = grapheme.unicodeScalars.map(\.utf8.count)
        if grapheme.utf8.count > 45 {
          var inner = offset
          for length in scalars {
            inner += length
            ends.insert(inner)
          }
        }
        offset += grapheme.utf8.count
        ends.insert(offset)
      }
      var end = 0
      for word in try encodedWords(of: subject) {
        let text = try #require(String(validating: word.bytes, as: UTF8.self), "\(word.written)")
        end += text.utf8.count
        if !ends.contains(end) {
          Issue.record("\(word.written) splits a grapheme of \(subject.debugDescription)")
        }
      }
      #expect(end == 0 || end == subject.utf8.count, "all of it is encoded, or nothing")
    }
  }

  @Test func `ASCII stays plain unless it would be misread`() throws {
    for subject in ["Your code is 123456", "a  b", String(repeating: "word ", count: 60) + "end"] {
      let lines = try lines(of: subject)
      #expect(lines.joined() == "Subject: " + subject)
    }
    for subject in ["=?utf-8?B?YQ==?=", " a", "a ", String(repeating: "x", count: 100)] {
      let words = try encodedWords(of: subject)
      #expect(words.flatMap(\.bytes) == Array(subject.utf8))
    }
  }

  @Test func `the shorter of the encodings base64 and Q is used`() throws {
    #expect(
      try lines(of: "Ünser Code lautet 123456") == ["Subject: =?utf-8?Q?=C3=9Cnser_Code_lautet_123456?="])
    #expect(try lines(of: "가장 높은 산") == ["Subject: =?utf-8?B?6rCA7J6lIOuGkuydgCDsgrA=?="])
  }

  /// Returns the lines of the Subject field without CRLF.
  private func lines(of subject: String) throws -> [String] {
    let text = String(decoding: try mail(subject), as: UTF8.self)
    let lines = text.components(separatedBy: "\r\n")
    let first = try #require(lines.firstIndex { $0.hasPrefix("Subject:") })
    return [lines[first]] + lines[(first + 1)...].prefix { $0.hasPrefix(" ") }
  }

  private func encodedWords(of subject: String) throws -> [(written: String, bytes: [UInt8])] {
    let field = try lines(of: subject).joined().dropFirst("Subject:".count)
    guard field.contains("=?") else { return [] }
    return try field.split(separator: " ").map { word in
      let parts = word.split(separator: "?", omittingEmptySubsequences: false)
      try #require(parts.count == 5 && parts[0] == "=" && parts[1] == "utf-8" && parts[4] == "=", "\(word)")
      if parts[2] == "B" {
        return (String(word), Array(try #require(Data(base64Encoded: String(parts[3])))))
      }
      let escaped = parts[3].replacing("_", with: "%20").replacing("=", with: "%")
      let bytes = try #require(escaped.removingPercentEncodingBytes)
      return (String(word), bytes)
    }
  }
}

extension StringProtocol {
  fileprivate var removingPercentEncodingBytes: [UInt8]? {
    var bytes = [UInt8]()
    var rest = utf8[...]
    while let byte = rest.popFirst() {
      guard byte == UInt8(ascii: "%") else {
        bytes.append(byte)
        continue
      }
      guard let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16) else { return nil }
      bytes.append(value)
      rest = rest.dropFirst(2)
    }
    return bytes
  }
}
