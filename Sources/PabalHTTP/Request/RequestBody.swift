internal import HTTPTypes
internal import Hummingbird
internal import NIOCore
internal import PabalCore
internal import PabalFormats

/// The most bytes that a request's body may have.
let bodyLimit = 65_536

extension Request {
  /// The body's bytes.
  func bytes() async throws(ProblemDetails) -> [UInt8] {
    if let length = headers[.contentLength].flatMap(Int.init), length > bodyLimit { throw .bodyTooLarge }
    do {
      return Array(try await body.collect(upTo: bodyLimit).readableBytesView)
    } catch is NIOTooManyBytesError {
      throw .bodyTooLarge
    } catch {
      throw ProblemDetails("incomplete", .badRequest, "The request ended before its body did")
    }
  }

  /// What `read` makes of the body's JSON object; all that is wrong with it comes at once.
  func object<Value>(
    _ bytes: [UInt8], _ read: (ObjectDecoder) -> Value?
  ) throws(ProblemDetails) -> Value {
    let type = (headers[.contentType] ?? "").prefix { $0 != ";" }
    guard String(type).trimmed.lowercased() == "application/json" else {
      throw ProblemDetails(
        "unsupported-media-type", .unsupportedMediaType, "The body is no JSON",
        detail: "send Content-Type: application/json")
    }
    let node: JSONValue
    do throws(JSONError) {
      node = try JSONParser(subject: .body).parse(bytes.span)
    } catch {
      let message = error.message + (error.remedy.map { "; \($0)" } ?? "")
      throw .invalid("", "line \(error.position.line), column \(error.position.column): \(message)")
    }
    let collector = DiagnosticCollector(file: nil, directory: "/", secrets: .process)
    let value = FieldDecoder(node, path: "", collector: collector).object(read)
    guard let value, collector.all.isEmpty else {
      throw .invalid(
        collector.sortedByPosition.map {
          ProblemDetails.FieldError(
            field: $0.path ?? "", detail: $0.message + ($0.remedy.map { "; \($0)" } ?? ""))
        })
    }
    return value
  }
}

extension ObjectDecoder {
  /// What must be there; where it isn't, that is the field's own fault.
  func required(_ key: String, as example: String) -> FieldDecoder? {
    if let value = optional(key) { return value }
    value.collector.report(
      "it is missing", remedy: "give it as in \"\(key)\": \"\(example)\"", at: value.node.position, path: key)
    return nil
  }

  /// A text that must be there.
  func text(_ key: String, as example: String) -> String? { required(key, as: example)?.text() }

  /// The same as a person typed or pasted it, with whatever came along.
  func untrimmedText(_ key: String, as example: String) -> String? {
    guard let value = required(key, as: example) else { return nil }
    guard case .string(let text) = value.node.content else {
      value.report(expected: "a string")
      return nil
    }
    return text
  }

  /// A text that may be there.
  func text(_ key: String) -> String? { optional(key)?.text() }

  /// One text or a list of them; none where it isn't there.
  func texts(_ key: String) -> [String] {
    guard let value = optional(key) else { return [] }
    guard case .array = value.node.content else { return value.text().map { [$0] } ?? [] }
    return (value.elements() ?? []).compactMap { $0.text() }
  }

  /// `variables`: texts by name.
  func variables() -> [String: String] {
    guard let value = optional("variables") else { return [:] }
    var texts: [String: String] = [:]
    for member in value.namedMembers() ?? [] { texts[member.name] = member.value.text() }
    return texts
  }

  /// `client.ip`: the address of the person on whose behalf the caller calls.
  func clientAddress() -> String? {
    optional("client")?.object { client in
      guard let value = client.optional("ip"), let text = value.text() else { return nil }
      if ClientAddress(text) == nil { value.report("it is no IP address") }
      return text
    }
  }

  /// `true` or `false`; false where it isn't there.
  func flag(_ key: String) -> Bool {
    guard let value = optional(key) else { return false }
    if case .boolean(let isSet) = value.node.content { return isSet }
    value.report(expected: "true or false")
    return false
  }
}
