internal import Glibc
internal import PabalCore

/// The directory of the messages, and the one whose files take the place of its own. Files outside them are never read.
struct MessagesDirectory: Sendable {
  /// The path as given by the user.
  let path: String
  /// The path of the directory whose files take the place of those with the same relative path, and are added to them.
  /// It may be missing.
  var overrides: String?

  /// The maximum size of a file in bytes.
  static let maxFileSize = 256 * 1024

  /// The attributes of a file that change when it is edited.
  struct Stamp: Sendable, Hashable {
    var path: String
    var inode: UInt64
    var size: Int64
    var seconds: Int
    var nanoseconds: Int
  }

  /// Whether `name` is a valid message name: lower-case letters, digits and `-`, at most 64.
  static func isValidName(_ name: String) -> Bool {
    (1...64).contains(name.utf8.count)
      && name.utf8.allSatisfy {
        (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == UInt8(ascii: "-")
      }
  }

  /// Returns the names of all folders with a valid message name, sorted.
  func names() throws(Diagnostics) -> [String] {
    var names: Set<String> = []
    for (root, setting) in [(path, "messages.directory"), (overrides, "messages.overrides")] {
      guard let root, root == path || exists(root) else { continue }
      // Without search permission the directory would seem to be empty.
      guard let entries = MessagesDirectory.entries(root), isDirectory("\(root)/.") else {
        throw Diagnostics([
          Diagnostic(
            "the messages directory can't be read: \(String(cString: strerror(errno)))",
            remedy: "check \(setting) in config.json", file: root)
        ])
      }
      names.formUnion(
        entries.filter { MessagesDirectory.isValidName($0) && isDirectory("\(root)/\($0)") })
    }
    return names.sorted()
  }

  /// The directories, in order of preference.
  private var roots: [String] { [overrides, path].compactMap { $0 } }

  /// Returns the path of a file or folder in the first directory that has it, or else in the last one.
  private func resolved(_ name: String) -> String {
    roots.map { "\($0)/\(name)" }.first(where: exists) ?? "\(path)/\(name)"
  }

  /// Returns a warning for each folder with an invalid message name, by that name.
  func misnamedFolders() -> [String: Diagnostic] {
    roots.reduce(into: [:]) { findings, root in
      findings.merge(misnamedFolders(in: root)) { first, _ in first }
    }
  }

  private func misnamedFolders(in path: String) -> [String: Diagnostic] {
    let entries = MessagesDirectory.entries(path) ?? []
    var findings: [String: Diagnostic] = [:]
    for entry in entries where !MessagesDirectory.isValidName(entry) && !MessagesDirectory.isIgnored(entry) {
      guard isDirectory("\(path)/\(entry)") else { continue }
      var remedy = "use at most 64 lower-case letters a to z, digits and -, such as welcome"
      if let name = MessagesDirectory.name(like: entry) {
        remedy =
          entries.contains(name) ? remedy + "; \"\(name)\" already exists" : "rename it to \"\(name)\""
      }
      findings[entry] = Diagnostic(
        "not a valid message name, so the folder is ignored", remedy: remedy,
        file: "\(path)/\(entry.displayName)",
        severity: .warning)
    }
    return findings
  }

  /// Returns the valid name that was likely meant: `my-mail` for `My_Mail`.
  private static func name(like entry: String) -> String? {
    let name = entry.lowercased().map { "_ .".contains($0) ? "-" : String($0) }.joined()
    return isValidName(name) ? name : nil
  }

  /// Whether there is a folder with that name.
  func hasMessage(_ name: String) -> Bool {
    MessagesDirectory.isValidName(name) && roots.contains { isDirectory("\($0)/\(name)") }
  }

  /// Returns the stamps of all files of a message.
  func stamps(of name: String) -> [Stamp] {
    var stamps = [layoutStamp()]
    for root in roots {
      let folder = "\(root)/\(name)"
      stamps.append(stamp(folder))
      for entry in (MessagesDirectory.entries(folder) ?? []).sorted()
      where MessagesDirectory.isMessageFile(entry) {
        stamps.append(stamp("\(folder)/\(entry)"))
      }
    }
    return stamps
  }

  /// Returns the stamp of the layout.
  func layoutStamp() -> Stamp { stamp(resolved("layout.html")) }

  /// Reads layout.html.
  func layout() throws(Diagnostics) -> HTMLTemplate {
    HTMLTemplate(try SourceText(try read("layout.html"), file: resolved("layout.html")))
  }

  /// Reads the files in a message's folders.
  func files(of name: String) -> MessageFiles {
    let folders = roots.map { "\($0)/\(name)" }.filter(exists)
    let folder = folders.last ?? "\(path)/\(name)"
    var files = MessageFiles(name: name, folder: folder, languageFiles: [])
    if folders.count > 1 { files.overridingFolder = folders[0] }
    func bytes(_ entry: String) -> [UInt8]? {
      do throws(Diagnostics) {
        return try read("\(name)/\(entry)")
      } catch {
        files.issues += error.all
        files.unreadableFiles.insert(entry)
        return nil
      }
    }
    var entries: Set<String> = []
    for folder in folders.isEmpty ? [folder] : folders {
      guard let found = MessagesDirectory.entries(folder) else {
        files.isReadable = false
        files.issues.append(
          Diagnostic(
            "the message's folder can't be read: \(String(cString: strerror(errno)))",
            remedy: "check its name and permissions", file: folder))
        return files
      }
      if folder == files.overridingFolder { files.overridingFiles = Set(found) }
      entries.formUnion(found)
    }
    for entry in entries.sorted() {
      if entry == "message.json" {
        files.declaration = bytes(entry)
      } else if let (language, fileExtension) = MessagesDirectory.languageFile(entry) {
        if let bytes = bytes(entry) {
          files.languageFiles.append(
            MessageFiles.LanguageFile(language: language, fileExtension: fileExtension, bytes: bytes))
        }
      } else if !MessagesDirectory.isIgnored(entry) {
        files.issues.append(
          Diagnostic(
            "neither message.json nor a language's .md, .html or .txt file, so it is ignored",
            remedy: "name it after its language, such as ko.md, or remove it",
            file: files.path(of: entry, displayed: entry.displayName), severity: .warning))
      }
    }
    var seen: [String: String] = [:]
    for languageFile in files.languageFiles {
      let key = "\(languageFile.language.lowercased()).\(languageFile.fileExtension)"
      if let other = seen[key] {
        files.issues.append(
          Diagnostic(
            "the same language as \(other)", remedy: "keep one of them",
            file: files.path(of: "\(languageFile.language).\(languageFile.fileExtension)")))
      }
      seen[key] = "\(languageFile.language).\(languageFile.fileExtension)"
    }
    return files
  }

  /// Returns a warning for each message file that isn't in a message's folder.
  func misplacedFiles() -> [Diagnostic] {
    roots.flatMap { misplacedFiles(in: $0) }
  }

  private func misplacedFiles(in path: String) -> [Diagnostic] {
    (MessagesDirectory.entries(path) ?? []).sorted().compactMap { entry in
      guard !MessagesDirectory.isIgnored(entry), entry != "layout.html",
        MessagesDirectory.isMessageFile(entry),
        !isDirectory("\(path)/\(entry)")
      else { return nil }
      return Diagnostic(
        "not in a message's folder, so it is ignored", remedy: "move it into its message's folder",
        file: "\(path)/\(entry.displayName)", severity: .warning)
    }
  }

  private static func isMessageFile(_ entry: String) -> Bool {
    entry == "message.json" || languageFile(entry) != nil
  }

  /// Whether a file is silently ignored: hidden files, editor backups, a README.
  private static func isIgnored(_ entry: String) -> Bool {
    entry.hasPrefix(".") || entry.hasSuffix("~") || entry.hasPrefix("#") || entry == "README.md"
  }

  private static func languageFile(_ entry: String) -> (language: String, fileExtension: String)? {
    guard let dot = entry.lastIndex(of: ".") else { return nil }
    let language = String(entry[..<dot])
    let fileExtension = String(entry[entry.index(after: dot)...])
    guard ["md", "html", "txt"].contains(fileExtension), LanguageTag.isWellFormed(language) else {
      return nil
    }
    return (language, fileExtension)
  }

  private func read(_ name: String) throws(Diagnostics) -> [UInt8] {
    let displayName = resolved(name)
    let path = roots.first { displayName == "\($0)/\(name)" } ?? path
    func readError(_ message: String, _ remedy: String) -> Diagnostics {
      Diagnostics([Diagnostic(message, remedy: remedy, file: displayName)])
    }
    guard let root = realPath(path), let file = realPath(displayName) else {
      throw readError("can't be read: \(String(cString: strerror(errno)))", "check its name and permissions")
    }
    // Links within the directory are allowed, because mounted volumes use them; links out of it aren't.
    guard file.hasPrefix(root == "/" ? root : root + "/") else {
      throw readError("links to a file outside the messages directory", "put the file itself there")
    }
    var status = stat()
    guard lstat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      throw readError("not a regular file", "put a file there")
    }
    do throws(FileError) {
      return try readFile(file, atMost: MessagesDirectory.maxFileSize)
    } catch {
      var diagnostic = error.diagnostic
      diagnostic.file = displayName
      throw Diagnostics([diagnostic])
    }
  }

  private func realPath(_ path: String) -> String? {
    guard let realPath = realpath(path, nil) else { return nil }
    defer { free(realPath) }
    return String(cString: realPath)
  }

  private func exists(_ path: String) -> Bool {
    var status = stat()
    return lstat(path, &status) == 0 || errno != ENOENT
  }

  private func isDirectory(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
  }

  private func stamp(_ path: String) -> Stamp {
    var status = stat()
    guard stat(path, &status) == 0 else {
      return Stamp(path: path, inode: 0, size: -1, seconds: 0, nanoseconds: 0)
    }
    return Stamp(
      path: path, inode: UInt64(status.st_ino), size: Int64(status.st_size), seconds: status.st_mtim.tv_sec,
      nanoseconds: status.st_mtim.tv_nsec)
  }

  private static func entries(_ path: String) -> [String]? {
    guard let directory = opendir(path) else { return nil }
    defer { closedir(directory) }
    var entries: [String] = []
    while let entry = readdir(directory) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
        pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != ".", name != ".." { entries.append(name) }
    }
    return entries
  }
}
