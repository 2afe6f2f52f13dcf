extension SendRequest {
  /// Reads the plain words of `pabal send`: options by their whole names, flags, addresses.
  ///
  /// `nil` where there is more to them, such as a mistake or `--help`. What is read here is read by
  /// `pabal-service` in the same way; but its way of reading, made for help and completions, takes as long as all
  /// else that a cold send does on its own.
  package init?(plainly words: some Sequence<String>) {
    self.init()
    var words = words.makeIterator()
    while let word = words.next() {
      guard word.hasPrefix("-") else {
        addresses.append(word)
        continue
      }
      if raise(word) { continue }
      let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      let name = String(parts[0])
      // With “=” a value may look like an option, but has to be there; without, the other way round.
      guard let value = parts.count > 1 ? String(parts[1]) : words.next(),
        parts.count > 1 ? !value.isEmpty : !value.hasPrefix("-") || value == "-",
        take(value, for: name)
      else { return nil }
    }
    if conflict != nil { return nil }
  }

  private mutating func raise(_ flag: String) -> Bool {
    switch flag {
    case "--dry-run": dryRun = true
    case "--yes": yes = true
    case "--json": surroundings.json = true
    case "--verbose", "-v": surroundings.verbose = true
    default: return false
    }
    return true
  }

  private mutating func take(_ value: String, for name: String) -> Bool {
    switch name {
    case "--message": content.message = value
    case "--language": content.language.append(value)
    case "--set": content.variables.append(value)
    case "--from": content.from = value
    case "--subject": content.subject = value
    case "--text": content.text = value
    case "--html": content.html = value
    case "--eml": content.eml = value
    case "--transport": transports.append(value)
    case "--config": surroundings.file = value
    case "--count":
      guard let number = Int(value) else { return false }
      count = number
    case "--parallel":
      guard let number = Int(value) else { return false }
      parallel = number
    default: return false
    }
    return true
  }
}
