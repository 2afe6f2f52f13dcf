/// `serve.submission.limits`: what one client, and all together, may take of a submission listener.
public struct SubmissionLimits: Sendable, Hashable {
  /// `size`: the maximum size of a mail in bytes.
  public private(set) var size = 36_700_160
  /// `recipients`: the maximum number of recipients of a mail.
  public private(set) var recipients = 1_000
  /// `errors`: after how many rejected commands a session ends.
  public private(set) var errors = 20
  /// `commands`: after how many commands without a mail a session ends.
  public private(set) var commands = 100
  /// `connections`: the maximum number of open connections.
  public private(set) var connections = 1_000
  /// `perAddress`: the maximum number of open connections of one client address other than a loopback address.
  public private(set) var perAddress = 50
  /// `logins`: how many failed logins an address has in a minute.
  public private(set) var logins = 10
  /// `idle`: how long a client that may send waits between commands (RFC 5321, 4.5.3.2.7).
  public private(set) var idle: Duration = .seconds(300)
  /// `time`: how long a connection lasts, at most.
  public private(set) var time: Duration = .seconds(3_600)
  /// `memory`: the maximum size in bytes of all mails that are arriving.
  public private(set) var memory = 128 << 20
  /// `freeSpace`: how many bytes have to be free where the database is.
  public private(set) var freeSpace = 64 << 20

  /// The defaults.
  public init() {}

  static func read(_ value: FieldDecoder) -> SubmissionLimits? {
    value.object { object in
      var limits = SubmissionLimits()
      func integer(_ key: String, _ path: WritableKeyPath<SubmissionLimits, Int>, _ range: ClosedRange<Int>) {
        if let number = object.optional(key)?.integer(in: range) { limits[keyPath: path] = number }
      }
      integer("size", \.size, 1_024...1_073_741_824)
      integer("recipients", \.recipients, 1...100_000)
      integer("errors", \.errors, 1...1_000)
      integer("commands", \.commands, 10...100_000)
      integer("connections", \.connections, 1...100_000)
      integer("perAddress", \.perAddress, 1...100_000)
      integer("logins", \.logins, 1...10_000)
      integer("memory", \.memory, 1_048_576...68_719_476_736)
      integer("freeSpace", \.freeSpace, 0...1_099_511_627_776)
      if let idle = object.optional("idle")?.duration(in: .seconds(1)...(.seconds(3_600))) {
        limits.idle = idle
      }
      if let time = object.optional("time")?.duration(in: .seconds(10)...(.seconds(86_400))) {
        limits.time = time
      }
      if limits.memory < limits.size {
        if let memory = object.optional("memory") {
          memory.report(
            "less than \"size\", so the largest mails could never arrive",
            remedy: "use at least \(limits.size)")
        } else {
          object.optional("size")?.report(
            "more than \"memory\", which is \(limits.memory), so the largest mails could never arrive",
            remedy: "add \"memory\" with at least \(limits.size)")
        }
      }
      return limits
    }
  }
}
