/// Reads the content after DATA up to the line with a single dot, and removes the dots that were added to other lines
/// (RFC 5321, 4.5.2).
///
/// Only CRLF, dot, CRLF ends the content. Where another form did so, a mail could contain a second one that the system
/// before didn't see (CVE-2023-51764, CVE-2023-51765, CVE-2023-51766).
struct DataReader {
  private enum State {
    /// At the start of a line.
    case lineStart
    /// After a dot at the start of a line.
    case dot
    /// After a dot at the start of a line and CR.
    case dotCR
    /// Within a line.
    case text
    /// After CR within a line.
    case cr
  }

  // Whether the lines of the client end with LF. In a dialogue with CRLF, only the dots behind CRLF are the client's signs.
  private let endsAtLF: Bool
  private var state = State.lineStart
  /// Whether the end was read.
  private(set) var isComplete = false

  /// A reader of content that LF, dot, LF ends, too, if `endsAtLF`.
  init(endsAtLF: Bool = false) { self.endsAtLF = endsAtLF }

  /// Reads `input` into `content` up to the end of the content. Returns how many bytes belong to it.
  mutating func read(_ input: UnsafeBufferPointer<UInt8>, into content: inout SMTPContent) -> Int {
    var lineEnds = LineEndFinder(input)
    var position = 0
    // The start of the bytes that are still to be stored: a run of lines without added dots.
    var run = 0
    while position < input.count {
      let byte = input[position]
      switch state {
      case .lineStart:
        state = .text
        guard byte == UInt8(ascii: ".") else { continue }
        content.append(UnsafeBufferPointer(rebasing: input[run..<position]))
        position += 1
        run = position
        state = .dot
      case .dot:
        if byte == 0x0D {
          position += 1
          state = .dotCR
        } else if byte == 0x0A, endsAtLF {
          return finish(position + 1, input, &content)
        } else {
          state = .text
        }
      case .dotCR:
        if byte == 0x0A { return finish(position + 1, input, &content) }
        content.fail(.bareLineEndInContent)
        state = .text
      case .text:
        position = lineEnds.next(from: position)
        guard position < input.count else { break }
        if input[position] == 0x0D {
          state = .cr
        } else if content.acceptsLF {
          content.append(UnsafeBufferPointer(rebasing: input[run..<position]))
          content.appendLineEnd()
          run = position + 1
          if endsAtLF { state = .lineStart }
        } else {
          content.fail(.bareLineEndInContent)
        }
        position += 1
      case .cr:
        if byte == 0x0A {
          position += 1
          state = .lineStart
        } else {
          content.fail(.bareLineEndInContent)
          state = .text
        }
      }
    }
    // After a dot, the CR may belong to the end; if it doesn't, the content is refused.
    if state != .dotCR { content.append(UnsafeBufferPointer(rebasing: input[run..<position])) }
    content.checkForNUL(input, count: position)
    return position
  }

  private mutating func finish(
    _ count: Int, _ input: UnsafeBufferPointer<UInt8>, _ content: inout SMTPContent
  ) -> Int {
    content.checkForNUL(input, count: count)
    isComplete = true
    return count
  }
}
