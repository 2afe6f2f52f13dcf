/// What an answer that isn't 200 says, in Google's envelope for errors or in none.
struct GmailErrorResponse: Equatable {
  let status: Int
  /// What may tell why, the most exact first: `errors[].reason`, then `details[].reason`, then `status`.
  var reasons: [String] = []
  /// Google's words, or of a body that is no JSON nothing.
  var message = ""
  /// Whether Google's envelope for errors was around it.
  var isGoogle = false

  init(status: Int, body: [UInt8]) {
    self.status = status
    guard let error = GmailJSON(body)?["error"] else { return }
    // The front end that refuses a token may answer as an OAuth server does (RFC 6749, 5.2).
    if let code = error.string {
      reasons = [code]
      message = GmailJSON(body)?["error_description"]?.string ?? ""
      return
    }
    message = error["message"]?.string ?? ""
    if case .number = error["code"], error["message"]?.string != nil { isGoogle = true }
    reasons = (error["errors"]?.elements ?? []).compactMap { $0["reason"]?.string }
    reasons += (error["details"]?.elements ?? []).compactMap { $0["reason"]?.string }
    if let status = error["status"]?.string { reasons.append(status) }
  }
}
