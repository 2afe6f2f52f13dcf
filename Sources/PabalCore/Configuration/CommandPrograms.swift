internal import Glibc
internal import PabalFormats

extension Configuration {
  /// Warnings about the programs of commands, of secrets and alerts, that other users can change or replace. Reads the
  /// file system.
  public var commandWarnings: [Diagnostic] {
    guard let root = try? JSONParser.read(bytes, subject: .file(file)) else { return [] }
    var found: [(program: String, location: SettingLocation)] = []
    collect(FieldDecoder(root, path: "", collector: DiagnosticCollector(subject: .file(file))), into: &found)
    return found.compactMap { program, location in
      guard let path = Self.path(of: program, from: directory) else { return nil }
      do throws(TrustedPath.Problem) {
        _ = try TrustedPath(path)
        return nil
      } catch {
        let cause: String
        switch error.reason {
        case .worldWritable: cause = "anyone"
        case .groupWritable(let group): cause = "group \(group)"
        case .owner(let user): cause = "user \(user)"
        case .error: return nil
        }
        let place = error.path == path ? "" : " through \(error.path)"
        var warning = location.diagnostic(
          "\(cause) can change the program \(path)\(place), which pabal runs as user \(geteuid())",
          remedy: "chmod go-w \(shellQuoted(error.path)), or chown it")
        warning.severity = .warning
        return warning
      }
    }
  }

  /// Collects the programs of all objects with a list `command`, and of the list `serve.alert`.
  private func collect(
    _ value: FieldDecoder, into found: inout [(program: String, location: SettingLocation)]
  ) {
    switch value.node.content {
    case .object(let members):
      for member in members {
        let child = FieldDecoder(
          member.value, path: fieldPath(value.path, member.key), collector: value.collector)
        if member.key == "command" || child.path == "serve.alert",
          case .array(let words) = member.value.content,
          case .string(let program) = words.first?.content
        {
          found.append((program, child.location))
        }
        collect(child, into: &found)
      }
    case .array, .null, .boolean, .number, .string: break
    }
  }

  /// The absolute path of a program, which is looked up in PATH if it has no slash.
  private static func path(of program: String, from directory: String) -> String? {
    if program.contains("/") { return try? absolutePath(program, from: directory) }
    let path = processEnvironment("PATH") ?? "/usr/local/bin:/usr/bin:/bin"
    return path.split(separator: ":").lazy.map { "\($0)/\(program)" }
      .first { $0.hasPrefix("/") && access($0, X_OK) == 0 }
  }
}
