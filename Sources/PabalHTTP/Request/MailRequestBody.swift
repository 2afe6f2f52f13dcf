internal import Hummingbird
internal import PabalCore
internal import PabalFormats

/// The JSON body of `POST /v1/mails`: a message with its values, its recipients and files for them.
struct MailRequestBody: Sendable {
  let to: [Mailbox]
  let replyTo: Mailbox?
  let message: String
  let languages: [String]
  let variables: [String: String]
  let attachments: [MailAttachment]

  /// Reads a body. Throws all its mistakes at once, and 413 if more than `bodyLimit` of it isn't the content of attachments.
  static func read(_ bytes: [UInt8], of request: Request) throws(ProblemDetails) -> MailRequestBody {
    // Before it is parsed, because a value takes much more memory than its two characters.
    guard bytes.count <= bodyLimit || hasFewValues(bytes) else { throw .tooMuchBesidesAttachments }
    var isTooLong = false
    do throws(ProblemDetails) {
      return try request.object(bytes) { object in
        isTooLong = bytes.count > bodyLimit && size(besidesAttachmentsOf: object.members) > bodyLimit
        return isTooLong ? nil : MailRequestBody(object)
      }
    } catch {
      throw isTooLong ? .tooMuchBesidesAttachments : error
    }
  }

  private init?(_ object: ObjectDecoder) {
    let to = object.mailboxes("to")
    let replyTo = object.optional("replyTo")
    self.replyTo = replyTo?.mailbox()
    let message = object.text("message", as: "welcome")
    languages = object.languages()
    variables = object.variables()
    let attachments = object.optional("attachments").map(MailRequestBody.attachments) ?? []
    guard let to, let message, let attachments, replyTo == nil || self.replyTo != nil else { return nil }
    self.to = to
    self.message = message
    self.attachments = attachments
  }

  private static let attachmentLimit = 100

  private static func attachments(_ value: FieldDecoder) -> [MailAttachment]? {
    guard let elements = value.elements() else { return nil }
    guard elements.count <= attachmentLimit else {
      value.report("more than \(attachmentLimit) attachments")
      return nil
    }
    let attachments = elements.compactMap { $0.object(attachment) }
    return attachments.count == elements.count ? attachments : nil
  }

  private static func attachment(_ object: ObjectDecoder) -> MailAttachment? {
    let nameField = object.required("name", as: "report.pdf")
    let typeField = object.optional("type")
    let contentField = object.required("content", as: "JVBERi0xLjcK")
    let content = contentField.flatMap(content)
    guard let nameField, let name = nameField.string() else { return nil }
    var type: String?
    if let typeField {
      type = typeField.string()
      guard type != nil else { return nil }
    }
    do throws(MailError) {
      let attachment = try MailAttachment(
        name: name, type: type ?? MailAttachment.defaultType, content: content ?? [])
      return content == nil ? nil : attachment
    } catch {
      (error.field == "type" ? typeField ?? nameField : nameField).report(error.message, remedy: error.remedy)
      return nil
    }
  }

  private static func content(_ value: FieldDecoder) -> [UInt8]? {
    guard let text = value.string() else { return nil }
    // Line breaks are usual in base64 of files.
    let options = Base64.DecodingOptions(padding: .optional, skipsWhitespace: true)
    do throws(Base64Error) {
      return try Base64.decode(text.utf8Span.span, options)
    } catch {
      value.report("not base64", remedy: "encode the bytes of the file as RFC 4648, section 4, describes")
      return nil
    }
  }

  /// Whether a large body can consist of few values: base64 has none of the characters that separate values.
  private static func hasFewValues(_ bytes: [UInt8]) -> Bool {
    var separators = 0
    for byte in bytes {
      switch byte {
      case UInt8(ascii: "\""), UInt8(ascii: ","), UInt8(ascii: ":"), UInt8(ascii: "["), UInt8(ascii: "{"):
        separators += 1
      default: break
      }
    }
    return separators <= bodyLimit / 2
  }

  /// Returns about how long the text is without the content of attachments.
  private static func size(besidesAttachmentsOf members: [JSONValue.Member]) -> Int {
    members.reduce(0) { sum, member in
      guard member.key == "attachments", case .array(let elements) = member.value.content else {
        return sum + member.key.utf8.count + size(member.value)
      }
      return elements.reduce(sum) { sum, element in
        guard case .object(let members) = element.content else { return sum + size(element) }
        return members.reduce(sum) { sum, member in
          sum + member.key.utf8.count + (member.key == "content" ? 0 : size(member.value))
        }
      }
    }
  }

  private static func size(_ value: JSONValue) -> Int {
    switch value.content {
    case .null, .boolean: 4
    case .number(let text), .string(let text): text.utf8.count + 2
    case .array(let elements): elements.reduce(2) { $0 + size($1) + 1 }
    case .object(let members): members.reduce(2) { $0 + $1.key.utf8.count + size($1.value) + 4 }
    }
  }
}

extension ObjectDecoder {
  /// The maximum number of recipients of one mail.
  private static let mailboxLimit = 100

  /// Returns the mailboxes of a member that is one address or a list of them.
  fileprivate func mailboxes(_ key: String) -> [Mailbox]? {
    guard let value = required(key, as: "kim@example.com") else { return nil }
    var texts = [value]
    if case .array = value.node.content { texts = value.elements() ?? [] }
    guard 1...ObjectDecoder.mailboxLimit ~= texts.count else {
      value.report("expected 1 to \(ObjectDecoder.mailboxLimit) addresses")
      return nil
    }
    let mailboxes = texts.compactMap { $0.mailbox() }
    return mailboxes.count == texts.count ? mailboxes : nil
  }
}

extension FieldDecoder {
  /// A mailbox: an address, or a name with an address.
  fileprivate func mailbox() -> Mailbox? {
    guard let text = trimmedText() else { return nil }
    do throws(MailError) {
      return try Mailbox(text)
    } catch {
      report(error.message, remedy: error.remedy)
      return nil
    }
  }
}
