internal import Glibc

/// The limits of `pabal serve` for a mail, in a file of its drop directory, so that `sendmail` refuses at once what the
/// service would refuse later.
package struct PublishedLimits: Sendable, Hashable {
  /// The name of the file.
  package static let name = "limits"

  /// The maximum size of a mail in bytes.
  package let size: Int
  /// The maximum number of recipients.
  package let recipients: Int

  /// Limits, by default those of a service without settings.
  package init(
    size: Int = SubmissionLimits().size, recipients: Int = SubmissionLimits().recipients
  ) {
    self.size = size
    self.recipients = recipients
  }

  /// The content of the file.
  package var text: String { "size \(size)\nrecipients \(recipients)\n" }

  /// Parses the content of the file; `nil` if it has another form.
  package init?(_ text: String) {
    var values: [Substring: Int] = [:]
    for line in text.split(separator: "\n") {
      let words = line.split(separator: " ")
      guard words.count == 2, let value = Int(words[1]), value > 0 else { return nil }
      values[words[0]] = value
    }
    guard let size = values["size"], let recipients = values["recipients"] else { return nil }
    self.init(size: size, recipients: recipients)
  }

  /// Reads the file in the drop directory at `directory`; `nil` if there is none of the directory's owner.
  ///
  /// Any user may add files to the directory, but only its owner's counts.
  package static func published(in directory: String) -> PublishedLimits? {
    var owner = stat()
    var status = stat()
    guard stat(directory, &owner) == 0 else { return nil }
    let file = open("\(directory)/\(name)", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
    guard file >= 0 else { return nil }
    defer { close(file) }
    guard fstat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_uid == owner.st_uid else {
      return nil
    }
    var buffer = [UInt8](repeating: 0, count: 256)
    let count = read(file, &buffer, buffer.count)
    guard count > 0, count < buffer.count else { return nil }
    return PublishedLimits(String(decoding: buffer[..<count], as: UTF8.self))
  }
}
