internal import Glibc
public import PabalCore
internal import Synchronization

/// The messages of a directory, read when first asked for and again after an edit.
///
/// A message is one unit: with an error in any of its files it does not load, and the version before, if there
/// was one, goes on being rendered. Files are looked at once a second at most, and only when a message is asked
/// for.
public final class MessageStore: Sendable {
  let directory: MessagesDirectory
  private let language: String
  private let variables: [String: String]
  private let variableLocations: [String: SettingLocation]
  private let now: @Sendable () -> ContinuousClock.Instant
  private let onChange: @Sendable (String, [Diagnostic]) -> Void
  private let state = Mutex(State())

  /// How long a look at the files holds good.
  public static let interval = Duration.seconds(1)

  /// Nothing is read yet.
  ///
  /// - Parameters:
  ///   - directory: Where `layout.html` and the messages' folders lie.
  ///   - language: The language for those who ask for none that there is, a BCP 47 tag.
  ///   - variables: Values of the whole site by variable, a text's Korean reading as `name.result`.
  ///   - variableLocations: Where each of `variables` is written, for the errors about it.
  ///   - now: The clock.
  ///   - onChange: Told a message's name and all that is wrong with it, each time its files were read again.
  public init(
    directory: String, language: String, variables: [String: String] = [:],
    variableLocations: [String: SettingLocation] = [:],
    now: @escaping @Sendable () -> ContinuousClock.Instant = { ContinuousClock.now },
    onChange: @escaping @Sendable (String, [Diagnostic]) -> Void = { _, _ in }
  ) {
    self.directory = MessagesDirectory(path: directory)
    self.language = language
    self.variables = variables
    self.variableLocations = variableLocations
    self.now = now
    self.onChange = onChange
  }

  /// Whether both read the same files with the same values.
  public func hasSameSources(as other: MessageStore) -> Bool {
    (directory.path, language) == (other.directory.path, other.language) && variables == other.variables
  }

  /// The mail's words in the first of `languages` (RFC 4647 look-up) the message is in, else in the default one.
  public func render(
    _ name: String, languages: [String], values: [String: MessageValue]
  ) throws(MessageError) -> RenderedMessage {
    let message = try load(name)
    guard let compiled = compiledLanguage(languages, of: message) else {
      throw .languageUnavailable(message: name, available: message.languages.values.map(\.tag))
    }
    let declaration = message.declaration
    let (subject, text, html) = try message.render(compiled, values)
    return RenderedMessage(
      name: message.name, language: compiled.tag, subject: subject, text: text, html: html,
      lane: declaration.lane, lifetime: declaration.lifetime, unknownPolicy: declaration.unknownPolicy)
  }

  /// What a message is for and what it needs.
  public func describe(_ name: String) throws(MessageError) -> MessageDescription {
    MessageDescription(try load(name))
  }

  /// The names of all messages, whether they load or not, sorted.
  public func names() throws(Diagnostics) -> [String] { try directory.names() }

  /// Everything wrong with the messages that were loaded, by their last reading.
  public var problems: [Diagnostic] {
    state.withLock { state in
      MessageStore.sorted(state.entries.values.flatMap(\.diagnostics))
    }
  }

  /// Everything wrong with all messages, or with those named, as their files are now.
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
      if let message = result.message { languages[name] = message.languages.values.map(\.tag) }
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

  /// One reading of a message's files.
  private struct ReadResult {
    var message: CompiledMessage?
    var diagnostics: [Diagnostic]
    var stamps: [MessagesDirectory.Stamp]
  }

  /// The message as its files are now or, while they hold errors, as they were when they last did not.
  ///
  /// `ignoringInterval` looks at the files even if somebody did within the last interval.
  func load(_ name: String, ignoringInterval: Bool = false) throws(MessageError) -> CompiledMessage {
    let now = self.now()
    // Whoever comes first after the interval looks; all others go on with what there is.
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
        message: result.message ?? state.entries[name]?.message, diagnostics: result.diagnostics,
        stamps: result.stamps, checkedAt: now)
      state.entries[name] = kept
      return kept
    }
    onChange(name, result.diagnostics)
    return try message(of: kept, name)
  }

  private func message(of entry: Entry?, _ name: String) throws(MessageError) -> CompiledMessage {
    guard let message = entry?.message else { throw .broken(name, entry?.diagnostics ?? []) }
    return message
  }

  private func unknownMessageError(_ name: String) -> MessageError {
    do throws(Diagnostics) {
      return .unknownMessage(name, nearest: nearest(to: name, among: try directory.names()))
    } catch {
      // Whether there is such a message nobody can tell.
      return .broken(name, error.all)
    }
  }

  private func read(_ name: String) -> ReadResult {
    // Taken before the files are read: an edit in between is seen the next time.
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
    let found = LanguageTag.lookUp(languages + [language]) { message.languages[$0] != nil }
    return found.flatMap { message.languages[$0] }
  }

  // MARK: Lint

  private func checkSiteVariables() -> [Diagnostic] {
    var declared: Set<String> = []
    for name in (try? directory.names()) ?? [] {
      // What a file that can't be read declares nobody can tell, so that every name may be one of its.
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
            ?? "take it out")
      finding.severity = .warning
      return finding
    }
  }

  private func missingLanguages(_ languages: [String: [String]]) -> [Diagnostic] {
    let all = Set(languages.values.joined())
    return languages.sorted { $0.key < $1.key }.flatMap { name, available in
      all.subtracting(available).sorted().filter { LanguageTag.commonMisspelling($0) == nil }.map { missing in
        Diagnostic(
          "there is no \(missing).md, and other messages have one",
          remedy: "write it, or whoever reads \(missing) gets \(language)", file: "\(directory.path)/\(name)",
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
  /// The messages that `messages` in `config.json` names, with the site's variables, of which those that are
  /// secrets are fetched; blocks.
  public convenience init(
    _ configuration: Configuration,
    onChange: @escaping @Sendable (String, [Diagnostic]) -> Void = { _, _ in }
  ) throws(Diagnostic) {
    guard let section = configuration.messages else {
      throw Diagnostic(
        "there are no messages", remedy: "add \"messages\" with \"directory\" and \"language\"",
        file: configuration.file)
    }
    guard access(section.directory, R_OK | X_OK) == 0 else {
      throw Diagnostic(
        "the messages directory \(section.directory) can't be read: \(String(cString: strerror(errno)))",
        remedy: "name another one, or make it readable", file: configuration.file, path: "messages.directory")
    }
    var variables: [String: String] = [:]
    var locations: [String: SettingLocation] = [:]
    for variable in section.variables {
      variables[variable.name] = try variable.value.fetch()
      locations[variable.name] = variable.value.location
    }
    self.init(
      directory: section.directory, language: section.language, variables: variables,
      variableLocations: locations,
      onChange: onChange)
  }
}

/// A message with its values in place, ready to be made into a mail.
public struct RenderedMessage: Sendable, Hashable {
  /// The message's name, which is its folder's.
  public let name: String
  /// The language it is in, a BCP 47 tag for `Content-Language`.
  public let language: String
  /// One line, without control characters.
  public let subject: String
  /// The plain text; its lines end with a line feed.
  public let text: String
  /// A whole HTML page; its lines end with a line feed.
  public let html: String
  /// How urgent it is.
  public let lane: Lane
  /// How long after its making it is of use; `nil` where it does not age.
  public let lifetime: Duration?
  /// What becomes of it when nobody knows whether it was taken.
  public let unknownPolicy: UnknownPolicy
}
