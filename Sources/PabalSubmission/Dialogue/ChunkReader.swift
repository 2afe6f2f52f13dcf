/// Reads the chunks of BDAT (RFC 3030), whose content is lines as in DATA, because BINARYMIME isn't offered.
struct ChunkReader {
  /// How many bytes of the chunk are missing.
  private(set) var remaining = 0
  /// Whether it is the last chunk of the mail.
  private(set) var isLast = false
  // A CR at the end of a chunk may be followed by LF in the next one.
  private var endsWithCR = false

  /// Begins a chunk.
  mutating func begin(_ size: ChunkSize) {
    remaining = size.count
    isLast = size.isLast
  }

  /// Reads the part of the chunk that is at the start of `input` into `content`. Returns its length.
  mutating func read(_ input: UnsafeBufferPointer<UInt8>, into content: inout SMTPContent) -> Int {
    let chunk = UnsafeBufferPointer(rebasing: input.prefix(remaining))
    remaining -= chunk.count
    store(chunk, in: &content)
    if remaining == 0, isLast, endsWithCR { content.fail(.bareLineEndInContent) }
    return chunk.count
  }

  private mutating func store(_ chunk: UnsafeBufferPointer<UInt8>, in content: inout SMTPContent) {
    guard content.fault == nil, !chunk.isEmpty else { return }
    var lineEnds = LineEndFinder(chunk)
    var position = 0
    var run = 0
    if endsWithCR {
      guard chunk[0] == 0x0A else { return content.fail(.bareLineEndInContent) }
      position = 1
    }
    endsWithCR = false
    while true {
      position = lineEnds.next(from: position)
      guard position < chunk.count else { break }
      if chunk[position] == 0x0A {
        guard content.acceptsLF else { return content.fail(.bareLineEndInContent) }
        content.append(UnsafeBufferPointer(rebasing: chunk[run..<position]))
        content.appendLineEnd()
        position += 1
        run = position
      } else if position + 1 == chunk.count {
        endsWithCR = true
        position += 1
      } else {
        guard chunk[position + 1] == 0x0A else { return content.fail(.bareLineEndInContent) }
        position += 2
      }
    }
    content.append(UnsafeBufferPointer(rebasing: chunk[run...]))
    content.checkForNUL(chunk, count: chunk.count)
  }
}

/// A chunk that is refused: its content is skipped, and then comes the reply.
struct SkippedChunk {
  private(set) var remaining: Int
  /// Whether it is the last chunk of the mail.
  let isLast: Bool
  /// Why it is refused.
  let refusal: SMTPReply

  init(_ size: ChunkSize, _ refusal: SMTPReply) {
    remaining = size.count
    isLast = size.isLast
    self.refusal = refusal
  }

  /// Skips the part of the chunk that is at the start of `input`.
  mutating func skip(_ input: inout SMTPInput) {
    input.take { bytes in
      let count = min(remaining, bytes.count)
      remaining -= count
      return count
    }
  }
}

/// The argument of BDAT.
struct ChunkSize {
  let count: Int
  let isLast: Bool

  /// Reads a size and, optionally, LAST. Throws the reply to anything else.
  init(_ argument: ArraySlice<UInt8>) throws(SMTPReply) {
    let words = argument.split(separator: 0x20)
    guard (1...2).contains(words.count), words[0].allSatisfy({ (0x30...0x39).contains($0) }),
      words.count == 1 || words[1].isWord("LAST")
    else { throw SMTPReply(501, "5.5.4", "BDAT takes a size and, with the last chunk, LAST") }
    guard let count = Int(String(decoding: words[0], as: UTF8.self)) else {
      throw SMTPReply(552, "5.3.4", "the chunk is too large")
    }
    self.count = count
    isLast = words.count == 2
  }
}
