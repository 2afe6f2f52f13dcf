extension OAuthErrorClassifier {
  /// Classifies Microsoft's errors; the number of `AADSTS…` in the description is more precise than the error's name.
  func microsoft(_ serverError: OAuthError) -> TokenError {
    let number = serverError.description.flatMap { description in
      description.split(separator: "AADSTS", maxSplits: 1).last.flatMap {
        Int($0.prefix { $0.isASCII && $0.isNumber })
      }
    }
    let summary = serverError.summary
    if let number, let failure = microsoft(number, summary) { return failure }
    switch serverError.error {
    case "invalid_grant" where operation == .refresh:
      return TokenError(
        .dead,
        "Microsoft ended the login (\(summary)). Likely causes: the password was changed, access was revoked, the "
          + "login wasn't used for 90 days, or a policy requires a new login",
        remedy: loginAgain, step: .microsoftLogin)
    case "authorization_declined":
      return TokenError(
        .setUp, "the login was declined on Microsoft's page", remedy: loginAgain, step: .microsoftLogin)
    case "expired_token":
      return TokenError(
        .setUp, "the code expired before it was entered", remedy: loginAgain, step: .microsoftLogin)
    case "bad_verification_code":
      return TokenError(.setUp, "Microsoft doesn't know the device code (\(summary))", remedy: loginAgain)
    default:
      var failure = other(serverError)
      // Microsoft explains its codes better than the error's name does.
      if let number {
        failure.remedy =
          "https://login.microsoftonline.com/error?code=\(number) explains this code; then \(loginAgain)"
      }
      return failure
    }
  }

  // learn.microsoft.com/entra/identity-platform/reference-error-codes
  private func microsoft(_ number: Int, _ summary: String) -> TokenError? {
    switch number {
    case 50173:
      TokenError(
        .dead, "the password was changed or the login revoked (\(summary))", remedy: loginAgain,
        step: .microsoftLogin)
    case 700_082, 700_084, 70008:
      TokenError(
        .dead, "the login expired because it wasn't used (\(summary))", remedy: loginAgain,
        step: .microsoftLogin)
    case 50076, 50079, 50078, 50074, 50072, 50055, 50144:
      TokenError(
        .dead, "Microsoft requires a second factor or a new password (\(summary))", remedy: loginAgain,
        step: .microsoftLogin)
    case 53000, 53001, 53002, 53003:
      TokenError(
        .setUp, "a conditional access policy blocks the login (\(summary))",
        remedy:
          "ask the tenant's administrator; if the policy blocks only the device flow, use --flow browser",
        step: .microsoftLogin)
    // Not dead, because an administrator's consent takes effect without a new login.
    case 65001 where operation == .grant:
      TokenError(
        .setUp, "the app lacks an administrator's consent to an application permission (\(summary))",
        remedy: "ask the tenant's administrator for Grant admin consent on the app's API permissions page",
        step: .app)
    case 65001:
      TokenError(
        .setUp, "consent to a permission is missing (\(summary))",
        remedy:
          "\(loginAgain), or ask the tenant's administrator for Grant admin consent on the app's API permissions page",
        step: .permission)
    case 65004:
      TokenError(
        .setUp, "the user didn't consent to the permission on Microsoft's page (\(summary))",
        remedy: "\(loginAgain), and choose Accept", step: .permission)
    case 90094, 90095, 90093:
      TokenError(
        .setUp, "the tenant lets only an administrator consent to the permission (\(summary))",
        remedy:
          "ask the tenant's administrator for Grant admin consent on the app's API permissions page, then \(loginAgain)",
        step: .permission)
    case 650_057:
      TokenError(
        .setUp, "the app's registration doesn't list the permission (\(summary))",
        remedy: "add it on the app's API permissions page, then \(loginAgain)", step: .permission)
    case 650_052:
      TokenError(
        .setUp, "the tenant doesn't have the service, for lack of a license (\(summary))",
        remedy: "ask the tenant's administrator for a subscription with Exchange Online", step: .permission)
    case 28000:
      TokenError(
        .setUp, "the scopes belong to several services, and a token is valid for one (\(summary))",
        remedy: "remove \"scopes\" from the account, because the transports name theirs", step: .permission)
    case 7_000_218:
      TokenError(
        .setUp, "the app is registered as a confidential client, which needs a secret (\(summary))",
        remedy: "allow public client flows on its Authentication page, or set \"client_secret\"",
        step: .registration)
    case 7_000_215, 7_000_222:
      TokenError(
        .setUp, "the client secret is wrong or has expired (\(summary))",
        remedy: "create a new secret on its "
          + "Certificates & secrets page", step: .registration)
    case 700_016:
      TokenError(
        .setUp, "the tenant has no app with this client ID (\(summary))",
        remedy: "compare \"client_id\" and \"tenant\" with the app's Overview page", step: .registration)
    case 50194, 50059, 9_000_094:
      TokenError(
        .setUp, "the app belongs to one tenant, which \"tenant\" doesn't name (\(summary))",
        remedy: "set \"tenant\" to the Directory (tenant) ID on the app's Overview page",
        step: .registration)
    case 9_002_331, 9_002_346:
      TokenError(
        .setUp, "the app accepts only personal Microsoft accounts (\(summary))",
        remedy: "set \"tenant\" to \"consumers\"", step: .registration)
    case 50020, 90072:
      TokenError(
        .setUp, "the user doesn't belong to the tenant (\(summary))",
        remedy: "set \"tenant\" to the user's tenant, or \(loginAgain) as a user of this tenant",
        step: .registration)
    case 50105:
      TokenError(
        .setUp, "the user isn't assigned to the app (\(summary))",
        remedy: "ask the tenant's administrator to assign the user to the app", step: .registration)
    case 50057, 50053, 50126:
      TokenError(
        .dead, "the user's account is disabled or locked, or the password is wrong (\(summary))",
        remedy: "ask the tenant's administrator, then \(loginAgain)", step: .microsoftLogin)
    case 90002, 900_023, 900_971:
      TokenError(
        .setUp, "the tenant doesn't exist, or the app has no redirect URI (\(summary))",
        remedy: "compare \"tenant\" with the app's Overview page", step: .registration)
    case 50011:
      TokenError(
        .setUp, "the app doesn't have the redirect URI http://localhost (\(summary))",
        remedy: "add the platform “Mobile and desktop applications” with http://localhost",
        step: .registration)
    case 70011, 28002:
      TokenError(
        .setUp, "Microsoft doesn't know the scope (\(summary))", remedy: "correct \"scopes\"",
        step: .permission)
    case 50034: TokenError(.setUp, "the tenant has no such user (\(summary))", remedy: loginAgain)
    default: nil
    }
  }
}
