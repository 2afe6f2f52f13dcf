extension Refusals {
  /// Microsoft's errors; the number of `AADSTS…` in the description says more than the error's name.
  func microsoft(_ refusal: Refusal) -> TokenFailure {
    let number = refusal.description.flatMap { description in
      description.split(separator: "AADSTS", maxSplits: 1).last.flatMap {
        Int($0.prefix { $0.isASCII && $0.isNumber })
      }
    }
    // The rest is for support: traces and times.
    let first = refusal.description?.prefix { $0 != "\r" && $0 != "\n" && $0 != "\\" }
    let words = first.map { "\(refusal.error): \($0)" } ?? refusal.error
    if let number, let failure = microsoft(number, words) { return failure }
    switch refusal.error {
    case "invalid_grant" where question == .renewal:
      return TokenFailure(
        .dead,
        "Microsoft ended the login (\(words)). Likely causes: the password was changed, access was withdrawn, the "
          + "login lay unused for 90 days, or a policy wants a new login",
        cure: loginAgain, step: .microsoftLogin)
    case "authorization_declined":
      return TokenFailure(
        .setUp, "the login was declined on Microsoft's page", cure: loginAgain, step: .microsoftLogin)
    case "expired_token":
      return TokenFailure(
        .setUp, "the code was not typed in in time", cure: loginAgain, step: .microsoftLogin)
    case "bad_verification_code":
      return TokenFailure(.setUp, "Microsoft doesn't know the device code (\(words))", cure: loginAgain)
    default: return other(refusal)
    }
  }

  // learn.microsoft.com/entra/identity-platform/reference-error-codes
  private func microsoft(_ number: Int, _ words: String) -> TokenFailure? {
    switch number {
    case 50173:
      TokenFailure(
        .dead, "the password was changed or the login withdrawn (\(words))", cure: loginAgain,
        step: .microsoftLogin)
    case 700_082, 70008:
      TokenFailure(.dead, "the login lay unused too long (\(words))", cure: loginAgain, step: .microsoftLogin)
    case 50076, 50079, 50078, 50074:
      TokenFailure(
        .dead, "Microsoft wants a second factor (\(words))", cure: loginAgain, step: .microsoftLogin)
    case 53000, 53001, 53002, 53003:
      TokenFailure(
        .setUp, "a conditional access policy blocks the login (\(words))",
        cure: "ask the tenant's administrator; some policies block the device flow alone: try --flow browser",
        step: .microsoftLogin)
    case 65001:
      TokenFailure(
        .dead, "nobody has consented to the permission SMTP.Send (\(words))",
        cure: "\(loginAgain), or have the administrator consent", step: .permission)
    case 7_000_218:
      TokenFailure(
        .setUp, "the app is registered as one that has a secret (\(words))",
        cure: "allow public client flows in its Authentication page, or give \"client_secret\"",
        step: .registration)
    case 7_000_215, 7_000_222:
      TokenFailure(
        .setUp, "the client secret is wrong or has expired (\(words))",
        cure: "make a new secret in its "
          + "Certificates & secrets page", step: .registration)
    case 700_016:
      TokenFailure(
        .setUp, "the tenant has no app of this client id (\(words))",
        cure: "compare \"client_id\" and \"tenant\" with the app's Overview page", step: .registration)
    case 90002, 900_023, 900_971:
      TokenFailure(
        .setUp, "there is no such tenant, or no address to come back to (\(words))",
        cure: "compare \"tenant\" with the app's Overview page", step: .registration)
    case 50011:
      TokenFailure(
        .setUp, "the app isn't registered to come back to http://localhost (\(words))",
        cure: "add the platform “Mobile and desktop applications” with http://localhost", step: .registration)
    case 70011, 28002:
      TokenFailure(
        .setUp, "Microsoft doesn't know the scope (\(words))", cure: "mend \"scopes\"", step: .permission)
    case 50034: TokenFailure(.setUp, "the tenant has no such user (\(words))", cure: loginAgain)
    default: nil
    }
  }
}
