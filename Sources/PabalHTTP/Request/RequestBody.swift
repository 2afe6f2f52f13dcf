internal import HTTPTypes
internal import Hummingbird
internal import NIOCore
internal import PabalCore
internal import PabalFormats

/// The maximum size in bytes of a request body, except one of `POST /v1/mails`.
let bodyLimit = 65_536

extension Request {
  /// Returns the bytes of the body.
  func bytes() async throws(ProblemDetails) -> [UInt8] {
    if let length = headers[.contentLength].flatMap(Int.init), length > bodyLimit {
      throw .bodyTooLarge(bodyLimit)
    }
    do {
      return Array(try await body.collect(upTo: bodyLimit).readableBytesView)
    } catch is NIOTooManyBytesError {
      throw .bodyTooLarge(bodyLimit)
    } catch {
      throw .incomplete
    }
  }

  /// Returns the bytes of a body of at most `limit`, which may be large: `memory` is asked for what is over
  /// `bodyLimit`. Throws 503 if it has no room.
  func bytes(upTo limit: Int, in memory: MailMemory.Hold) async throws(ProblemDetails) -> [UInt8] {
    let length = headers[.contentLength].flatMap(Int.init)
    if let length, length > limit {
      var problem = ProblemDetails.bodyTooLarge(limit)
      // A client that sends everything before it reads would see a broken connection instead of the response. The rest is
      // discarded, unless the client waits for permission to send it, or announced far too much.
      if headers[.expect] == nil, length / 2 <= limit { problem.headers[.connection] = nil }
      throw problem
    }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(min(length ?? 0, bodyLimit))
    var held = bodyLimit
    var refusal: ProblemDetails?
    do {
      for try await part in body {
        let size = bytes.count + part.readableBytes
        guard size <= limit else {
          refusal = .bodyTooLarge(limit)
          break
        }
        if size > held {
          // All of an announced length at once: it is better to refuse a mail at its beginning than at its end.
          held = max(length ?? 0, min(2 * size, limit))
          guard memory.resize(to: held) else {
            refusal = .mailMemoryFull
            break
          }
          bytes.reserveCapacity(held)
        }
        bytes.append(contentsOf: part.readableBytesView)
      }
    } catch {
      throw .incomplete
    }
    if let refusal { throw refusal }
    return bytes
  }

  /// The type of the body in lower case, without parameters; `nil` if it isn't declared.
  var mediaType: String? {
    headers[.contentType].map { String($0.prefix { $0 != ";" }).trimmed.lowercased() }
  }

  /// Returns what `read` makes of the JSON object in the body. Throws all its mistakes at once.
  func object<Value>(
    _ bytes: [UInt8], _ read: (ObjectDecoder) -> Value?
  ) throws(ProblemDetails) -> Value {
    guard mediaType == "application/json" else { throw .notJSON(headers[.contentType]) }
    let collector = DiagnosticCollector(subject: .body)
    if let value = collector.decode(bytes, read), collector.all.isEmpty { return value }
    throw .invalid(collector.sortedByPosition.map(ProblemDetails.FieldError.init))
  }
}

extension ProblemDetails.FieldError {
  /// The error of a field; a mistake outside of any field has its line and column instead.
  fileprivate init(_ diagnostic: Diagnostic) {
    var detail = diagnostic.message + (diagnostic.remedy.map { "; \($0)" } ?? "")
    if diagnostic.path == nil, let position = diagnostic.position {
      detail = "line \(position.line), column \(position.column): \(detail)"
    }
    self.init(field: diagnostic.path ?? "", detail: detail)
  }
}

extension FieldDecoder {
  /// A text without the white space at its ends, which copying, files and phone keyboards add.
  func trimmedText() -> String? {
    guard case .string(let text) = node.content else { return text() }
    return FieldDecoder(
      JSONValue(.string(text.trimmed), at: node.position), path: path, collector: collector
    ).text()
  }
}

extension FieldDecoder {
  /// The text of an address, without the white space at its ends. The service checks it, too, but only after the body.
  func addressText() -> String? {
    guard let text = trimmedText() else { return nil }
    do throws(AddressError) {
      _ = try Address(text)
    } catch {
      report(error.message)
    }
    return text
  }
}

extension ObjectDecoder {
  /// `purpose`, which may be missing.
  func purpose() -> String? {
    guard let value = optional("purpose"), let text = value.text() else { return nil }
    if let mistake = VerificationService.mistake(inPurpose: text) { value.report(mistake) }
    return text
  }

  /// The value of a key that must be present, with an example for the remedy.
  func required(_ key: String, as example: String) -> FieldDecoder? {
    required(key, remedy: "add it, for example \"\(key)\": \"\(example)\"")
  }

  /// A text that must be present.
  func text(_ key: String, as example: String) -> String? { required(key, as: example)?.text() }

  /// A string that must be present, as a person typed or pasted it, with all its characters.
  func untrimmedText(_ key: String, as example: String) -> String? { required(key, as: example)?.string() }

  /// A text that may be missing.
  func text(_ key: String) -> String? { optional(key)?.text() }

  /// `language`: a tag, the value of an `Accept-Language`, or a list of these; the best first.
  func languages() -> [String] {
    guard let value = optional("language") else { return [] }
    var fields = [value]
    if case .array = value.node.content { fields = value.elements() ?? [] }
    var texts: [String] = []
    for field in fields {
      guard let text = field.text() else { continue }
      do throws(LanguagePreference.InvalidTag) {
        _ = try LanguagePreference([text])
        texts.append(text)
      } catch {
        field.report(error.message, remedy: error.remedy)
      }
    }
    return (try? LanguagePreference(texts).ranges) ?? []
  }

  /// `variables`: texts by name.
  func variables() -> [String: String] {
    guard let value = optional("variables") else { return [:] }
    var texts: [String: String] = [:]
    for member in value.namedMembers() ?? [] { texts[member.name] = member.value.text() }
    return texts
  }

  /// `client.ip`: the address of the person for whom the caller sends the request.
  func clientAddress() -> String? {
    optional("client")?.object { client in
      guard let value = client.optional("ip"), let text = value.text() else { return nil }
      if ClientAddress(text) == nil { value.report("not an IP address") }
      return text
    }
  }

  /// A boolean; false if the key is missing.
  func flag(_ key: String) -> Bool { optional(key)?.boolean() ?? false }
}
