/// What a submitter of mail may send: the rules of a user, a certificate, a network or a user of this machine in
/// `serve.submission`.
///
/// All ways by which mail is submitted ask these rules, so that a mail is refused by one of them if it is by another.
public struct SenderRules: Sendable, Hashable {
  /// Whether a submitter may use an address as the sender.
  public enum Permission: Sendable, Hashable {
    /// The rules name the address or its domain.
    case listed
    /// The rules name no addresses, so that any can be used.
    case unrestricted
    /// The rules name addresses, and this isn't one of them.
    case refused
  }

  /// `senders`: the addresses and domains that may be used; `nil`: any.
  public let senders: [SenderPattern]?
  /// `forcedSender`: the sender and the author of every mail, whatever it says.
  public let forcedSender: Mailbox?
  /// `rate`: how many mails may be submitted, one for each recipient; empty: any number.
  public let rate: [RateLimit]
  /// `lane`: the priority of the mail.
  public let lane: Lane
  /// `route`: the transports of the mail, before the routes of domains; `nil`: as for other mail.
  public let route: ConfiguredRoute?
  /// What `rate` counts together, such as a network; `nil`: each submitter by itself.
  package let counted: String?

  /// Rules that allow `senders`, by default any, and send mail as `forcedSender`, by default as it was submitted.
  public init(
    senders: [SenderPattern]? = nil, forcedSender: Mailbox? = nil, rate: [RateLimit] = [],
    lane: Lane = .normal, route: ConfiguredRoute? = nil
  ) {
    self.init(
      senders: senders, forcedSender: forcedSender, rate: rate, lane: lane, route: route, counted: nil)
  }

  private init(
    senders: [SenderPattern]?, forcedSender: Mailbox?, rate: [RateLimit], lane: Lane,
    route: ConfiguredRoute?, counted: String?
  ) {
    self.senders = senders
    self.forcedSender = forcedSender
    self.rate = rate
    self.lane = lane
    self.route = route
    self.counted = counted
  }

  /// Returns the same rules, whose `rate` is for all that is called `name` together.
  func counted(as name: String) -> SenderRules {
    SenderRules(
      senders: senders, forcedSender: forcedSender, rate: rate, lane: lane, route: route, counted: name)
  }

  /// Returns the sender of the envelope for a mail that was submitted with `sender`. The null sender stays, because a
  /// bounce with another one could be answered by a bounce.
  package func envelopeSender(_ sender: Address?) -> Address? {
    sender == nil ? nil : forcedSender?.address ?? sender
  }

  /// Returns who gets the reports about a mail that was submitted with `sender`: with a forced sender, which the mail then has,
  /// an address elsewhere gets them only if it is listed. Otherwise a submitter could have reports sent to anyone, in a name
  /// that isn't its own.
  package func reportAddress(for sender: Address, isLocal: Bool) -> Address {
    guard let forced = forcedSender?.address, !isLocal, permission(for: sender) != .listed,
      sender.domain != forced.domain
    else { return sender }
    return forced
  }

  /// Returns whether the submitter may use `sender`, an envelope's sender or an author.
  public func permission(for sender: Address) -> Permission {
    if let forcedSender, forcedSender.address.isSame(as: sender) { return .listed }
    guard let senders else { return .unrestricted }
    return senders.contains { $0.matches(sender) } ? .listed : .refused
  }

  /// Throws if the submitter may not use `sender` as the sender of an envelope. The null sender, of bounces, is always
  /// allowed, because the authors in the header are checked as well.
  package func check(envelopeSender sender: Address?) throws(SenderRefusal) {
    guard let sender, permission(for: sender) == .refused else { return }
    throw SenderRefusal(field: nil, address: sender)
  }

  /// The fields whose addresses are those of a submitter: who wrote the mail, who sent it, and who sent it again (RFC 5322,
  /// 3.6.2 and 3.6.6).
  private static let fields = [
    ("from", "From"), ("sender", "Sender"), ("resent-from", "Resent-From"),
    ("resent-sender", "Resent-Sender"),
  ]

  /// Throws if a field of the header that says who sends the mail names an address that the submitter may not use, or can't
  /// be read.
  package func check(_ header: MailHeader, completing domain: String) throws(SenderRefusal) {
    guard senders != nil else { return }
    for (field, name) in SenderRules.fields {
      for value in header.values(of: field) {
        let authors: [Address]
        do throws(MailError) {
          authors = try AddressList(value, field: field, completing: domain).mailboxes.map(\.address)
        } catch {
          throw SenderRefusal(field: name, address: nil)
        }
        // Programs show the name of a group that has no address.
        if authors.isEmpty { throw SenderRefusal(field: name, address: nil) }
        if let refused = authors.first(where: { permission(for: $0) == .refused }) {
          throw SenderRefusal(field: name, address: refused)
        }
      }
    }
  }

  /// Reads the rules among the keys of `object`. `key` is that of the submitter's route.
  static func read(_ object: ObjectDecoder, key: String) -> SenderRules {
    SenderRules(
      senders: object.optional("senders").flatMap(SenderPattern.readAll),
      forcedSender: object.optional("forcedSender").flatMap(mailbox),
      rate: object.optional("rate")?.rateLimits() ?? [],
      lane: object.optional("lane")?.choice(Lane.self) ?? .normal,
      route: object.optional("route")?.route().map { ConfiguredRoute(key: key, transports: $0) })
  }

  /// Reads the rules about senders alone.
  static func readSenders(_ object: ObjectDecoder) -> SenderRules {
    SenderRules(
      senders: object.optional("senders").flatMap(SenderPattern.readAll),
      forcedSender: object.optional("forcedSender").flatMap(mailbox))
  }

  private static func mailbox(_ value: FieldDecoder) -> Mailbox? {
    guard let text = value.nonEmptyText() else { return nil }
    do throws(MailError) {
      return try Mailbox(text)
    } catch {
      value.report(error.message, remedy: error.remedy ?? "write it like \"Name <app@example.com>\"")
      return nil
    }
  }
}

/// Why a mail is refused: its submitter may not use a sender of its envelope or header.
package struct SenderRefusal: Error, Hashable, CustomStringConvertible {
  /// The header field; `nil` for the envelope.
  package let field: String?
  /// The address; `nil` if the field can't be read.
  package let address: Address?

  /// One sentence without its full stop.
  package var description: String {
    guard let address else {
      return
        "\(field ?? "sender"): not a valid list of addresses; name an address that this submitter may use"
    }
    let subject = field.map { "\($0): \(address)" } ?? "\(address)"
    return "\(subject) is not an allowed sender of this submitter; use one of its own addresses"
  }
}

extension Address {
  /// Whether both are the same mailbox, as nearly all systems compare them: without regard to upper and lower case.
  func isSame(as other: Address) -> Bool {
    self == other || domain == other.domain && localPart.lowercased() == other.localPart.lowercased()
  }
}

/// An element of `senders`: an address, or all addresses of a domain.
public enum SenderPattern: Sendable, Hashable {
  /// An address. Upper and lower case are the same.
  case address(Address)
  /// The addresses of a domain, without those of its subdomains.
  case domain(String)

  /// Parses `app@example.com`, `example.com` or `@example.com`.
  public init(_ text: String) throws(AddressError) {
    if text.hasPrefix("@") {
      self = .domain(try Domain(String(text.dropFirst())).description)
    } else if text.utf8.contains(UInt8(ascii: "@")) {
      self = .address(try Address(text))
    } else {
      self = .domain(try Domain(text).description)
    }
  }

  /// Whether it includes `sender`.
  public func matches(_ sender: Address) -> Bool {
    switch self {
    case .address(let address): address.isSame(as: sender)
    case .domain(let domain): sender.domain == domain
    }
  }

  static func readAll(_ value: FieldDecoder) -> [SenderPattern]? {
    guard let elements = value.elements() else { return nil }
    if elements.isEmpty {
      value.report(
        "empty list, so no mail could be sent", remedy: "name an address or a domain, or remove \"senders\"")
    }
    return elements.compactMap(read)
  }

  private static func read(_ value: FieldDecoder) -> SenderPattern? {
    guard let text = value.nonEmptyText() else { return nil }
    // A valid address, but other mailers write all addresses of a domain like this.
    if text.hasPrefix("*@") {
      value.report(
        "\(quoted(text)) is not a pattern",
        remedy: "write \(quoted(String(text.dropFirst(2)))) for all addresses of the domain")
      return nil
    }
    do throws(AddressError) {
      return try SenderPattern(text)
    } catch {
      value.report(error.message, remedy: "write it like \"app@example.com\" or \"example.com\"")
      return nil
    }
  }
}
