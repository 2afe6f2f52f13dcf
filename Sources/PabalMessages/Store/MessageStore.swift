internal import Glibc
public import PabalCore
internal import Synchronization

/// The messages of a directory, loaded on first use and reloaded after an edit.
///
/// A message is loaded as a unit: if any of its files has an error, the previous version, if any, stays in use. Without
/// one, as after a restart, its languages without errors are used. Files are checked for changes at most once a second,
/// and only when a message is requested.
public final class MessageStore: Sendable {
  let directory: MessagesDirectory
  let language: String
  private let variables: [String: String]
  private let variableLocations: [String: SettingLocation]
  private let now: @Sendable () -> ContinuousClock.Instant
  private let onChange: @Sendable (String, [Diagnostic]) -> Void
  private let state = Mutex(State())

  /// The minimum interval between checks for changed files.
  public static let interval = Duration.seconds(1)

  /// Creates a store without reading any files.
  ///
  /// - Parameters:
  ///   - directory: The directory that contains `layout.html` and the folders of the messages.
  ///   - overrides: A directory whose files take the place of those with the same relative path, and are added to them;
  ///     it may be missing.
  ///   - language: The default language, a BCP 47 tag.
  ///   - variables: The site-wide values by variable name; the Korean reading of a text as `name.reading`.
  ///   - variableLocations: The locations of `variables` in the configuration, for errors.
  ///   - now: The clock.
  ///   - onChange: Called with a message's name and all its problems each time its files were reloaded.
  public init(
    directory: String, overrides: String? = nil, language: String, variables: [String: String] = [:],
    variableLocations: [String: SettingLocation] = [:],
    now: @escaping @Sendable () -> ContinuousClock.Instant = { ContinuousClock.now },
    onChange: @escaping @Sendable (String, [Diagnostic]) -> Void = { _, _ in }
  ) {
    self.directory = MessagesDirectory(path: directory, overrides: overrides)
    self.language = language
    self.variables = variables
    self.variableLocations = variableLocations
    self.now = now
    self.onChange = onChange
  }

  /// Whether both stores use the same directory, default language and site-wide values.
  public func hasSameSources(as other: MessageStore) -> Bool {
    (directory.path, directory.overrides, language)
      == (other.directory.path, other.directory.overrides, other.language)
      && variables == other.variables
  }

  /// Renders a message in the best match for `languages` (RFC 4647 lookup), or else in the default language.
  public func render(
    _ name: String, languages: [String], values: [String: MessageValue]
  ) throws(MessageError) -> RenderedMessage {
    let message = try load(name)
    guard let compiled = compiledLanguage(languages, of: message) else {
      let errors = errors(of: name)
      guard errors.isEmpty else { throw .broken(name, errors) }
      throw .languageUnavailable(message: name, available: message.languages.values.map(\.tag))
    }
    let declaration = message.declaration
    let (subject, text, html) = try message.render(compiled, values)
    return RenderedMessage(
      name: message.name, language: compiled.tag, subject: subject, text: text, html: html,
      lane: declaration.lane, lifetime: declaration.lifetime, unknownPolicy: declaration.unknownPolicy)
  }

  /// Renders the line that an inbox shows next to the subject; empty if the author wrote none.
  ///
  /// Separate from `render`, because only authors see it on its own: a mail has it in its HTML.
  public func previewLine(
    _ name: String, languages: [String], values: [String: MessageValue]
  ) throws(MessageError) -> String {
    let message = try load(name)
    guard let compiled = compiledLanguage(languages, of: message) else {
      throw .languageUnavailable(message: name, available: message.languages.values.map(\.tag))
    }
    return try message.previewLine(compiled, values)
  }

  /// Returns the purpose of a message and the values it needs.
  public func describe(_ name: String) throws(MessageError) -> MessageDescription {
    MessageDescription(try load(name))
  }

  /// Returns the names of all messages, including those with errors, sorted.
  public func names() throws(Diagnostics) -> [String] { try directory.names() }

  /// The problems found when the loaded messages were last read.
  public var problems: [Diagnostic] {
    state.withLock { state in
      MessageStore.sorted(state.entries.values.flatMap(\.diagnostics))
    }
  }

  /// Returns the problems in the current files of all messages, or of the named ones.
  public func lint(_ names: [String]? = nil) -> [Diagnostic] {
    var findings: [Diagnostic] = []
    var languages: [String: [String]] = [:]
    let all: [String]
    if let names {
      all = names
    } else {
      do throws(Diagnostics) {
        all = try directory.names()
      } catch {
        return error.all
      }
    }
    let misnamedFolders = directory.misnamedFolders()
    for name in all {
      guard directory.hasMessage(name) else {
        findings += misnamedFolders[name].map { [$0] } ?? unknownMessageError(name).diagnostics
        continue
      }
      let result = read(name)
      findings += result.diagnostics
      let hasErrors = result.diagnostics.contains { $0.severity == .error }
      if let message = result.message, !hasErrors { languages[name] = message.languages.values.map(\.tag) }
    }
    if names == nil {
      findings +=
        misnamedFolders.values + directory.misplacedFiles() + checkSiteVariables()
        + missingLanguages(languages)
    }
    return MessageStore.sorted(findings)
  }

  // MARK: Loading

  private struct State {
    var entries: [String: Entry] = [:]
    var layout: (stamp: MessagesDirectory.Stamp, template: HTMLTemplate)?
  }

  private struct Entry {
    var message: CompiledMessage?
    var diagnostics: [Diagnostic]
    var stamps: [MessagesDirectory.Stamp]
    var checkedAt: ContinuousClock.Instant
  }

  /// The result of reading a message's files.
  private struct ReadResult {
    var message: CompiledMessage?
    var diagnostics: [Diagnostic]
    var stamps: [MessagesDirectory.Stamp]
  }

  /// Returns the last valid version of a message.
  ///
  /// With `ignoringInterval`, checks for changed files even if they were checked within the last interval.
  func load(_ name: String, ignoringInterval: Bool = false) throws(MessageError) -> CompiledMessage {
    let now = self.now()
    // The first caller after the interval checks the files; concurrent callers use the current version.
    let (entry, isDue) = state.withLock { state -> (Entry?, Bool) in
      guard let entry = state.entries[name] else { return (nil, true) }
      let isDue = ignoringInterval || now - entry.checkedAt >= MessageStore.interval
      if isDue { state.entries[name]?.checkedAt = now }
      return (entry, isDue)
    }
    guard isDue else { return try message(of: entry, name) }
    guard entry != nil || directory.hasMessage(name) else { throw unknownMessageError(name) }
    if let entry, directory.stamps(of: name) == entry.stamps { return try message(of: entry, name) }

    let result = read(name)
    let kept = state.withLock { state in
      let kept = Entry(
        message: MessageStore.better(result, than: state.entries[name]?.message),
        diagnostics: result.diagnostics, stamps: result.stamps, checkedAt: now)
      state.entries[name] = kept
      return kept
    }
    onChange(name, result.diagnostics)
    return try message(of: kept, name)
  }

  /// Returns the version to use: a new one with errors only if it lacks no language of the previous one.
  private static func better(_ result: ReadResult, than previous: CompiledMessage?) -> CompiledMessage? {
    guard let message = result.message, let previous,
      result.diagnostics.contains(where: { $0.severity == .error })
    else { return result.message ?? previous }
    return previous.languages.keys.allSatisfy { message.languages[$0] != nil } ? message : previous
  }

  /// Returns the errors found when a message was last read.
  func errors(of name: String) -> [Diagnostic] {
    state.withLock { $0.entries[name]?.diagnostics ?? [] }.filter { $0.severity == .error }
  }

  private func message(of entry: Entry?, _ name: String) throws(MessageError) -> CompiledMessage {
    guard let message = entry?.message else { throw .broken(name, entry?.diagnostics ?? []) }
    return message
  }

  private func unknownMessageError(_ name: String) -> MessageError {
    do throws(Diagnostics) {
      return .unknownMessage(name, nearest: nearest(to: name, among: try directory.names()))
    } catch {
      // The directory can't be read, so it is unknown whether the message exists.
      return .broken(name, error.all)
    }
  }

  private func read(_ name: String) -> ReadResult {
    // Taken before reading the files, so that a concurrent edit is detected next time.
    let stamps = directory.stamps(of: name)
    do throws(Diagnostics) {
      var compiler = MessageCompiler(
        directory.files(of: name), layout: try layout(), siteVariables: variables,
        siteVariableLocations: variableLocations,
        defaultLanguage: language)
      let message = compiler.compile()
      return ReadResult(
        message: message, diagnostics: MessageStore.sorted(compiler.diagnostics), stamps: stamps)
    } catch {
      return ReadResult(message: nil, diagnostics: error.all, stamps: stamps)
    }
  }

  private func layout() throws(Diagnostics) -> HTMLTemplate {
    let stamp = directory.layoutStamp()
    if let known = state.withLock({ $0.layout }), known.stamp == stamp { return known.template }
    let template = try directory.layout()
    state.withLock { $0.layout = (stamp, template) }
    return template
  }

  private func compiledLanguage(_ languages: [String], of message: CompiledMessage) -> CompiledLanguage? {
    if let first = languages.first, let language = message.languages[first] { return language }
    let found = [languages, [language]].lazy.compactMap { ranges in
      LanguageTag.lookUp(ranges) { message.languages[$0] != nil }
    }.first
    return found.flatMap { message.languages[$0] }
  }

  // MARK: Lint

  private func checkSiteVariables() -> [Diagnostic] {
    var declared: Set<String> = []
    for name in (try? directory.names()) ?? [] {
      // An unreadable declaration could declare any name, so no name can be reported as unused.
      guard let names = MessageDeclarationReader.variableNames(directory.files(of: name)) else { return [] }
      declared.formUnion(names)
    }
    if let layout = try? layout() { declared.formUnion(layout.names.map(\.name)) }
    return variables.keys.sorted().compactMap { key in
      let isReading = key.hasSuffix(MessageValue.readingSuffix)
      let name = isReading ? String(key.dropLast(MessageValue.readingSuffix.count)) : key
      guard !declared.contains(name) else { return nil }
      var finding = (variableLocations[key] ?? SettingLocation(path: "messages.variables.\(key.displayName)"))
        .diagnostic(
          "no message declares {{\(name.displayName)}}",
          remedy: nearest(to: name, among: declared.sorted()).map { "did you mean \"\($0)\"?" }
            ?? "remove it")
      finding.severity = .warning
      return finding
    }
  }

  private func missingLanguages(_ languages: [String: [String]]) -> [Diagnostic] {
    let all = Set(languages.values.joined())
    return languages.sorted { $0.key < $1.key }.flatMap { name, available in
      all.subtracting(available).sorted().filter { LanguageTag.commonMisspelling($0) == nil }.map { missing in
        Diagnostic(
          "\(missing).md is missing, but other messages have one",
          remedy: "write it, otherwise \(missing) readers get \(language)", file: "\(directory.path)/\(name)",
          severity: .warning)
      }
    }
  }

  private static func sorted(_ diagnostics: [Diagnostic]) -> [Diagnostic] {
    let start = SourcePosition(line: 0, column: 0)
    return Set(diagnostics).sorted { a, b in
      let (left, right) = (a.position ?? start, b.position ?? start)
      return (a.file ?? "", left, a.description) < (b.file ?? "", right, b.description)
    }
  }
}

extension MessageStore {
  /// Creates the store that `messages` in `config.json` describes; fetches site-wide values that are secrets. Blocks.
  public convenience init(
    _ configuration: Configuration,
    onChange: @escaping @Sendable (String, [Diagnostic]) -> Void = { _, _ in }
  ) throws(Diagnostic) {
    guard let section = configuration.messages else {
      throw Diagnostic(
        "no messages are configured", remedy: "add \"messages\" with \"directory\" and \"language\"",
        file: configuration.file)
    }
    guard access(section.directory, R_OK | X_OK) == 0 else {
      throw section.directoryLocation.diagnostic(
        "the messages directory \(section.directory) can't be read: \(String(cString: strerror(errno)))",
        remedy: "make it readable, or set another directory")
    }
    var variables: [String: String] = [:]
    var locations: [String: SettingLocation] = [:]
    for variable in section.variables {
      variables[variable.name] = try variable.value.fetch()
      locations[variable.name] = variable.value.location
    }
    self.init(
      directory: section.directory, overrides: section.overrides, language: section.language,
      variables: variables, variableLocations: locations, onChange: onChange)
  }
}

/// A rendered message, ready to become a mail.
public struct RenderedMessage: Sendable, Hashable {
  /// The name of the message and its folder.
  public let name: String
  /// The language, a BCP 47 tag for `Content-Language`.
  public let language: String
  /// The subject: one line without control characters.
  public let subject: String
  /// The plain text with LF line ends.
  public let text: String
  /// The HTML page with LF line ends.
  public let html: String
  /// The lane, which sets the urgency.
  public let lane: Lane
  /// How long a mail is useful after it was created; `nil` if it doesn't expire.
  public let lifetime: Duration?
  /// What to do if an attempt ends `unknown`.
  public let unknownPolicy: UnknownPolicy
}
