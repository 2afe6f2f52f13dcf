// Reading what a caller passes.
extension VerificationService {
  /// Runs `compose`. If `isConfigured`, the caller didn't name the message, so one that can't be used is a mistake in the
  /// configuration and not the caller's.
  func catchingConfiguredMessage<Value>(
    _ isConfigured: Bool, _ isNotice: Bool, _ compose: () throws(VerificationError) -> Value
  ) throws(VerificationError) -> Value {
    do throws(VerificationError) {
      return try compose()
    } catch {
      guard isConfigured, case .input("message", let message) = error else { throw error }
      let key = isNotice ? "verification.notice" : "verification.message"
      throw .brokenMessage(Diagnostics([Diagnostic("\(key): \(message)", path: key)]))
    }
  }

  static func ranges(_ languages: [String]) throws(VerificationError) -> [String] {
    do throws(LanguagePreference.InvalidTag) {
      return try LanguagePreference(languages).ranges
    } catch {
      throw .input(field: "language", message: "\(error.message); \(error.remedy)")
    }
  }

  static func recipient(_ text: String) throws(VerificationError) -> VerificationRecipient {
    do throws(AddressError) {
      return VerificationRecipient(address: try Address(text))
    } catch {
      throw .input(field: "to", message: error.message)
    }
  }

  static func client(_ text: String?) throws(VerificationError) -> ClientAddress? {
    guard let text else { return nil }
    guard let client = ClientAddress(text) else {
      throw .input(field: "client", message: "\(quoted(text)) isn't an IP address")
    }
    return client
  }

  static func check(purpose: String) throws(VerificationError) {
    if let mistake = mistake(inPurpose: purpose) { throw .input(field: "purpose", message: mistake) }
  }

  /// Returns what is wrong with a purpose; `nil` if it is valid.
  package static func mistake(inPurpose purpose: String) -> String? {
    let fits = purpose.utf8.allSatisfy { byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
        true
      default: false
      }
    }
    guard fits, 1...64 ~= purpose.utf8.count else {
      return "\(quoted(purpose)) isn't 1 to 64 letters, digits, hyphens, dots and underscores"
    }
    return nil
  }
}
