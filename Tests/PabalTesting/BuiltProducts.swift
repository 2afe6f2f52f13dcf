import Foundation

/// Where `swift build` puts programs and plugins: beside the program that runs now.
public enum BuiltProducts {
  /// The directory, without a slash at its end.
  public static let directory: String = {
    let program = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? "."
    return (program as NSString).deletingLastPathComponent
  }()

  /// The plugin `pabal-NAME`.
  public static func plugin(_ name: String) -> String { "\(directory)/libpabal-\(name).so" }

  /// The plugin `fixture-NAME`, which only the tests load.
  public static func fixture(_ name: String) -> String { "\(directory)/libfixture-\(name).so" }

  /// The root of the checkout.
  public static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().path(percentEncoded: false)
}

/// A directory that is gone when the test is over.
public final class TemporaryDirectory: Sendable {
  /// Its path, without a slash at its end.
  public let path: String

  /// Makes one, for the owner alone.
  public init() throws {
    var template = Array((NSTemporaryDirectory() + "/pabal-test-XXXXXX").utf8CString)
    guard mkdtemp(&template) != nil else { throw POSIXError(.EIO) }
    let bytes = template.dropLast().map { UInt8(bitPattern: $0) }
    // Plugins are found by their real path.
    path = URL(filePath: String(decoding: bytes, as: UTF8.self)).resolvingSymlinksInPath().path(
      percentEncoded: false)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  /// Writes a file below the directory, making the directories between; returns its path.
  @discardableResult
  public func write(_ text: String, to name: String) throws -> String {
    let file = "\(path)/\(name)"
    try FileManager.default.createDirectory(
      atPath: (file as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
    try Data(text.utf8).write(to: URL(filePath: file))
    return file
  }

  /// Copies a file to a name below the directory; returns its path.
  @discardableResult
  public func copy(_ source: String, to name: String) throws -> String {
    let file = "\(path)/\(name)"
    try FileManager.default.createDirectory(
      atPath: (file as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
    try FileManager.default.copyItem(atPath: source, toPath: file)
    return file
  }
}
