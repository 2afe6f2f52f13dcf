extension Address {
  /// The address as logs and pages show it: `k***@example.com`.
  public var masked: String {
    let shown = localPart.count > 1 ? String(localPart.prefix(1)) : ""
    return "\(shown)***@\(domain)"
  }
}
