import Foundation
import PabalFormats
import PabalTesting
import Testing

/// Mutations of JSON texts, judged by our reader and by the one of Python's standard library.
@Suite struct JSONAgainstPythonTests {
  private static let seeds = [
    #"{"transport": ["gmail", "smtp"], "transports": {"smtp": {"plugin": "smtp", "port": 465, "on": true}}}"#,
    #"[0, -1, 2.5, 1e10, -0.5E-3, 12345678901234567890, null, true, false, "", {}, []]"#,
    #"{"가나": "다\u0041\n\"\\\/\ud83d\ude00", "a": [[], [[]], {"b": {}}], "e": "é😀"}"#,
    "\t{ \"x\" :\r\n [ 1 , 2 ,\n3 ] }\n",
  ]
  private static let pieces = [
    "\"", "\\", "{", "}", "[", "]", ",", ":", "0", "1", "-", "+", ".", "e", "E", "null", "true", "\\u",
    "\\ud800",
    "\\udc00", "\n", "\t", " ", "\u{0}", "\u{1F}", "/", "'", "NaN", "Infinity", "\u{A0}", "\u{FEFF}", "가",
  ]

  private static func mutations(_ count: Int) -> [[UInt8]] {
    var random = SplitMix(state: 20_260_101)
    return (0..<count).map { _ in
      var bytes = Array(seeds[random.below(seeds.count)].utf8)
      for _ in 0...random.below(4) {
        let at = random.below(bytes.count + 1)
        switch random.below(5) {
        case 0: if at < bytes.count { bytes.remove(at: at) }
        case 1: bytes.insert(contentsOf: Array(pieces[random.below(pieces.count)].utf8), at: at)
        case 2: if at < bytes.count { bytes[at] = UInt8(random.below(256)) }
        case 3: bytes.removeSubrange(at..<min(bytes.count, at + random.below(6)))
        default: bytes.insert(contentsOf: bytes[min(at, bytes.count)...].prefix(random.below(8)), at: at)
        }
      }
      return bytes
    }
  }

  // What Python takes and RFC 8259 doesn't is named, not passed over: NaN and Infinity, lone
  // surrogates, UTF-16 and UTF-32. What it gives back lets the strings be compared too.
  private static let judge = """
    import json, sys
    class Refused(Exception): pass
    def refuse(word): raise Refused
    def surrogates(value):
        if isinstance(value, str): return any(0xD800 <= ord(c) < 0xE000 for c in value)
        if isinstance(value, list): return any(map(surrogates, value))
        if isinstance(value, tuple): return any(map(surrogates, value))
        return False
    for line in sys.stdin:
        bytes = bytes.fromhex(line)
        try:
            text = bytes.decode("utf-8")
            value = json.loads(text[1:] if text[:1] == "\\ufeff" else text, parse_constant=refuse,
                               parse_int=lambda n: ("number", n), parse_float=lambda n: ("number", n),
                               object_pairs_hook=lambda pairs: ("object", [x for pair in pairs for x in pair]))
            if surrogates(value): raise Refused
            out = []
            def walk(value):
                if isinstance(value, str): out.append(value)
                elif isinstance(value, (list, tuple)): [walk(v) for v in value]
            walk(value)
            print("yes", "\\0".join(out).encode().hex())
        except (Refused, ValueError, UnicodeDecodeError, RecursionError):
            print("no")
    """

  @Test func `our reader takes and refuses what Python's does, and reads the same strings`() throws {
    let mutations = Self.mutations(20_000)
    let input = mutations.map(Self.hexadecimal).joined(separator: "\n") + "\n"
    let python = try ChildProcess.run("python3", ["-c", Self.judge], input: Array(input.utf8))
    let answers = python.output.split(separator: "\n").map(String.init)
    try #require(answers.count == mutations.count)
    var taken = 0
    for (bytes, answer) in zip(mutations, answers) {
      var ours = "no"
      if let value = try? JSONParser().parse(bytes.span) {
        taken += 1
        ours = "yes " + Self.hexadecimal(Array(Self.strings(value).joined(separator: "\0").utf8))
      }
      #expect(ours == answer, "\(String(decoding: bytes, as: UTF8.self).debugDescription)")
    }
    // The corpus is worth something only when both answers are in it often.
    #expect(2_000...18_000 ~= taken)
  }

  /// Every string in the order written, tagged as the judge tags numbers and objects.
  private static func strings(_ value: JSONValue) -> [String] {
    switch value.content {
    case .null, .boolean: []
    case .number(let text): ["number", text]
    case .string(let text): [text]
    case .array(let elements): elements.flatMap(strings)
    case .object(let members): ["object"] + members.flatMap { [$0.key] + strings($0.value) }
    }
  }

  private static func hexadecimal(_ bytes: [UInt8]) -> String {
    bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }
}

/// A small generator whose sequence is the same on every machine.
private struct SplitMix {
  var state: UInt64

  mutating func below(_ bound: Int) -> Int {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return Int((z ^ (z >> 31)) % UInt64(bound))
  }
}
