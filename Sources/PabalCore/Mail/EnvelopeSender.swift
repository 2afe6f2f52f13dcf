/// Whom an envelope names as its sender, to whom the next hops report failures.
public enum EnvelopeSender: Sendable, Hashable {
  /// The author: the address of `from`.
  case author
  /// Another address, as a front door gave it.
  case address(Address)
  /// Nobody, `<>`: failures are reported to no one.
  case null
}
