internal import FoundationEssentials
internal import HTTPTypes
internal import Hummingbird
internal import NIOCore

extension Response {
  /// An answer of one JSON value, keys sorted.
  static func json(_ value: some Encodable, status: HTTPResponse.Status = .ok) -> Response {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    guard let data = try? encoder.encode(value) else {
      preconditionFailure("what the service answers is texts, numbers and lists of them")
    }
    return bytes(data, type: "application/json", status: status)
  }

  /// An answer of these bytes, which nobody may keep.
  static func bytes(
    _ bytes: some Sequence<UInt8> & Sendable, type: String, status: HTTPResponse.Status = .ok
  ) -> Response {
    var response = Response(status: status, body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
    response.headers[.contentType] = type
    response.headers[.cacheControl] = "no-store"
    return response
  }
}
