public import Foundation

extension Pipe {
  /// Reads until what was read contains `end`, and returns it. Throws if the other end is closed before.
  ///
  /// Unlike `availableData`, a signal doesn't end the program.
  public func read(until end: String) throws -> String {
    var text = ""
    var buffer = [UInt8](repeating: 0, count: 4_096)
    while !text.contains(end) {
      let count = Glibc.read(fileHandleForReading.fileDescriptor, &buffer, buffer.count)
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { throw TestError("a child ended instead of printing \(end): \(text)") }
      text += String(decoding: buffer.prefix(count), as: UTF8.self)
    }
    return text
  }
}
