/// `serve.mails`: what the bodies of `POST /v1/mails` may take, which carry attachments and finished mails.
public struct MailRequestLimits: Sendable, Hashable {
  /// `size`: the maximum size in bytes of a body, and of the mail that is made of it.
  public private(set) var size = 36_700_160
  /// `memory`: the maximum size in bytes of all larger bodies that are arriving or being stored.
  public private(set) var memory = 128 << 20

  /// `freeSpace`: how many bytes have to be free where the database is.
  public private(set) var freeSpace = 64 << 20

  /// The maximum number of recipients of a finished mail, as for SMTP.
  package static let recipientLimit = 1_000

  /// The defaults, which are those of `serve.submission.limits`.
  public init() {}

  static func read(_ value: FieldDecoder) -> MailRequestLimits? {
    value.object { object in
      var limits = MailRequestLimits()
      let size = object.optional("size")
      let memory = object.optional("memory")
      if let number = object.optional("freeSpace")?.integer(in: 0...1_099_511_627_776) {
        limits.freeSpace = number
      }
      if let number = size?.integer(in: 65_536...1_073_741_824) { limits.size = number }
      if let number = memory?.integer(in: 1_048_576...68_719_476_736) { limits.memory = number }
      if limits.memory < limits.size {
        if let memory {
          memory.report(
            "less than \"size\", so the largest mails could never arrive",
            remedy: "use at least \(limits.size)")
        } else {
          size?.report(
            "more than \"memory\", which is \(limits.memory), so the largest mails could never arrive",
            remedy: "add \"memory\" with at least \(limits.size)")
        }
      }
      return limits
    }
  }
}
