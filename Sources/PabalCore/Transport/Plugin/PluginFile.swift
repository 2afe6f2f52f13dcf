internal import CPabalGNU
internal import Glibc
internal import Synchronization

/// A plugin's file: opened once, examined, and loaded from the same descriptor.
struct PluginFile: ~Copyable {
  /// The real path of the file.
  let path: String
  /// Warnings for the operator; they don't prevent loading.
  let warnings: [Diagnostic]
  private let identity: FileIdentity
  private var descriptor: CInt

  /// Opens the file at `path` and rejects one that an untrusted user could have written or put there.
  ///
  /// Trusted owners are root, the running user, and those who could replace the program. The plugin's directory must not
  /// be world-writable; one above it may be if its sticky bit prevents others from renaming its entries.
  init(_ path: String) throws(Diagnostic) {
    // Without O_NONBLOCK, open would wait for the writer of a named pipe.
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)
    guard descriptor >= 0 else {
      throw Diagnostic(
        "the plugin \(path) can't be opened: \(String(cString: strerror(errno)))",
        remedy: "correct its path")
    }
    do throws(Diagnostic) {
      (self.path, warnings, identity) = try Self.examine(descriptor, path)
    } catch {
      close(descriptor)
      throw error
    }
    self.descriptor = descriptor
  }

  deinit { if descriptor >= 0 { close(descriptor) } }

  private static func examine(
    _ descriptor: CInt, _ path: String
  ) throws(Diagnostic) -> (path: String, warnings: [Diagnostic], identity: FileIdentity) {
    var status = stat()
    guard fstat(descriptor, &status) == 0 else {
      throw Diagnostic("the plugin can't be examined: \(String(cString: strerror(errno)))", file: path)
    }
    let file: TrustedPath
    do throws(TrustedPath.Problem) {
      file = try TrustedPath(absolutePath(path), allowsStickyFolder: false)
    } catch {
      throw diagnostic(error, path)
    }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw Diagnostic("the plugin is not a file", remedy: "name the .so file itself", file: file.real)
    }
    let identity = FileIdentity(status)
    guard identity == file.identity else {
      throw Diagnostic(
        "the plugin was replaced while it was examined", remedy: "try again", file: file.real)
    }
    let warnings = file.writableByPrivateGroup.map { entry in
      Diagnostic(
        "the \(entry.path == file.real ? "plugin" : "plugin's directory") is group-writable, so group \(entry.group) can change what pabal runs",
        remedy: "chmod g-w \(shellQuoted(entry.path))", file: entry.path, severity: .warning)
    }
    return (file.real, warnings, identity)
  }

  private static func absolutePath(_ path: String) -> String {
    guard !path.hasPrefix("/"), let directory = getcwd(nil, 0) else { return path }
    defer { free(directory) }
    return "\(String(cString: directory))/\(path)"
  }

  private static func diagnostic(_ problem: TrustedPath.Problem, _ path: String) -> Diagnostic {
    let real = realpath(path, nil).map { resolved in
      defer { free(resolved) }
      return String(cString: resolved)
    }
    let place = shellQuoted(problem.path)
    if case .error(let number) = problem.reason {
      return Diagnostic("the plugin can't be examined: \(String(cString: strerror(number)))", file: path)
    }
    let isDirectory = real.map {
      $0.hasPrefix(problem.path + "/") && !$0.dropFirst(problem.path.count + 1).contains("/")
    }
    guard problem.path == real || isDirectory == true else {
      let (cause, remedy) =
        switch problem.reason {
        case .worldWritable:
          ("anyone can replace it: \(problem.path) is world-writable", "chmod o-w \(place)")
        case .groupWritable(let group):
          ("group \(group) can replace it: \(problem.path) is group-writable", "chmod g-w \(place)")
        case .owner(let user):
          (
            "user \(user) can replace it: \(problem.path) belongs to them, not to root, you or the owner of pabal",
            "chown root \(place), or move the plugin"
          )
        case .error: ("", "")
        }
      return Diagnostic("the plugin was refused because \(cause)", remedy: remedy, file: real ?? path)
    }
    let noun = isDirectory == true ? "plugin's directory" : "plugin"
    switch problem.reason {
    case .worldWritable:
      return Diagnostic(
        "the \(noun) was refused because anyone can change it: it is world-writable",
        remedy: "chmod o-w \(place)", file: problem.path)
    case .groupWritable(let group):
      return Diagnostic(
        "the \(noun) was refused because group \(group) can change it: it is group-writable",
        remedy: "chmod g-w \(place)", file: problem.path)
    case .owner(let user):
      return Diagnostic(
        "the \(noun) was refused because its owner is user \(user), not root, you or the owner of pabal",
        remedy: "chown root \(place)", file: problem.path)
    case .error: preconditionFailure("handled above")
    }
  }
}

extension PluginFile {
  /// The libraries that were loaded, by their files. They are never unloaded.
  private static let loaded = Mutex<[FileIdentity: UInt]>([:])

  /// Loads the file that was examined, whatever its path leads to by now, and returns the library.
  ///
  /// The dynamic linker opens it by its descriptor in `/proc`. That stays open, because the linker knows a library by the
  /// name it was opened with, and would take another file with the same number for it.
  mutating func load() throws(Diagnostic) -> UnsafeMutableRawPointer {
    if let known = Self.loaded.withLock({ $0[identity] }),
      let library = UnsafeMutableRawPointer(bitPattern: known)
    {
      return library
    }
    let name = Self.processDirectory.map { "\($0)/fd/\(descriptor)" }
    var library = name.flatMap { dlopen($0, RTLD_NOW | RTLD_LOCAL) }
    var reason = library == nil && name != nil ? Self.lastError() : nil
    // Without /proc there is only the path. A library that finds others beside itself ($ORIGIN) needs it as well.
    if library == nil, reason?.contains("cannot open shared object file") ?? true {
      try rejectReplacement()
      library = dlopen(path, RTLD_NOW | RTLD_LOCAL)
      reason = library == nil ? Self.lastError() : nil
    }
    guard let library else {
      let text = (reason ?? "no reason given").replacing(name ?? path, with: path)
      throw Diagnostic("the plugin can't be loaded: \(printable(text))", file: path)
    }
    // Debuggers and backtraces look for the library by its name.
    if let name { pabal_rename_library(library, name, path) }
    Self.loaded.withLock { $0[identity] = UInt(bitPattern: library) }
    descriptor = -1
    return library
  }

  private func rejectReplacement() throws(Diagnostic) {
    var status = stat()
    guard stat(path, &status) == 0, FileIdentity(status) == identity else {
      throw Diagnostic("the plugin was replaced while it was loaded", remedy: "try again", file: path)
    }
  }

  private static func lastError() -> String? { dlerror().map { String(cString: $0) } }

  /// `/proc/PID` with the number that this process has in the mounted `/proc`, so that a debugger, too, can open the
  /// names of libraries in it.
  private static let processDirectory: String? = {
    guard let process = linkTarget("/proc/self"), process.utf8.allSatisfy({ 0x30...0x39 ~= $0 }) else {
      return nil
    }
    return "/proc/\(process)"
  }()
}
