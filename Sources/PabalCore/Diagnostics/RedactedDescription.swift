/// A value whose interpolation, debugger view and `dump` show its description alone, because it may hold a secret.
package protocol RedactedDescription: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable
{}

extension RedactedDescription {
  /// The description.
  public var debugDescription: String { description }
  /// A mirror without children.
  public var customMirror: Mirror { Mirror(self, children: EmptyCollection<Mirror.Child>()) }
}
