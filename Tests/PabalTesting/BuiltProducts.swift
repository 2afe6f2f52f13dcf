import Foundation

/// The directory of built programs and plugins, which is that of the running program.
public enum BuiltProducts {
  /// The directory, without a trailing slash.
  public static let directory: String = {
    let program = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? "."
    return (program as NSString).deletingLastPathComponent
  }()

  /// Returns the path of the plugin `pabal-NAME`.
  public static func plugin(_ name: String) -> String { "\(directory)/libpabal-\(name).so" }

  /// Returns the path of the plugin `fixture-NAME`, which only tests load.
  public static func fixture(_ name: String) -> String { "\(directory)/libfixture-\(name).so" }

  /// The root of the checkout.
  public static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().path(percentEncoded: false)
}

/// A directory that is removed when the object is deinitialized.
public final class TemporaryDirectory: Sendable {
  /// The path, without a trailing slash.
  public let path: String

  /// Creates a directory that only the owner can access, in `parent`.
  public init(in parent: String? = nil) throws {
    var template = Array("\(parent ?? NSTemporaryDirectory())/pabal-test-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw POSIXError(.EIO) }
    let bytes = template.dropLast().map { UInt8(bitPattern: $0) }
    // Symbolic links are resolved, because plugins are found by their real path.
    path = URL(filePath: String(decoding: bytes, as: UTF8.self)).resolvingSymlinksInPath().path(
      percentEncoded: false)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  /// Writes a file in the directory, creating directories as needed; returns its path.
  @discardableResult
  public func write(_ text: String, to name: String) throws -> String {
    let file = "\(path)/\(name)"
    try FileManager.default.createDirectory(
      atPath: (file as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
    try Data(text.utf8).write(to: URL(filePath: file))
    return file
  }

  /// Copies a file into the directory; returns its path.
  @discardableResult
  public func copy(_ source: String, to name: String) throws -> String {
    let file = "\(path)/\(name)"
    try FileManager.default.createDirectory(
      atPath: (file as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
    try FileManager.default.copyItem(atPath: source, toPath: file)
    return file
  }
}
