internal import FoundationEssentials
internal import HTTPTypes
internal import Hummingbird
internal import NIOCore

extension Response {
  /// Returns a response with a JSON value, its keys sorted.
  static func json(_ value: some Encodable, status: HTTPResponse.Status = .ok) -> Response {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    guard let data = try? encoder.encode(value) else {
      preconditionFailure("the body of a response can't be encoded")
    }
    return bytes(data, type: "application/json", status: status)
  }

  /// Returns a response with these bytes, which caches must not store.
  static func bytes(
    _ bytes: some Sequence<UInt8> & Sendable, type: String, status: HTTPResponse.Status = .ok
  ) -> Response {
    constant(ByteBuffer(bytes: bytes), type: type, status: status)
  }

  /// Returns a response with these bytes, of which all responses share one copy.
  static func constant(_ bytes: ByteBuffer, type: String, status: HTTPResponse.Status = .ok) -> Response {
    var response = Response(status: status, body: ResponseBody(byteBuffer: bytes))
    response.headers[.contentType] = type
    response.headers[.cacheControl] = "no-store"
    return response
  }
}
