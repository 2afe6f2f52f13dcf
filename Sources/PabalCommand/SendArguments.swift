extension SendCommand {
  /// Reads the plain words of `pabal send`: options by their whole names, flags, addresses.
  ///
  /// `nil` where there is more to them, such as a mistake or `--help`. What is read here is read by
  /// `pabal-service` in the same way; but its way of reading, made for help and completions, takes as long as all
  /// else that a cold send does on its own.
  package init?(parsing arguments: some Sequence<String>) {
    self.init()
    var arguments = arguments.makeIterator()
    while let argument = arguments.next() {
      guard argument.hasPrefix("-") else {
        addresses.append(argument)
        continue
      }
      if setFlag(argument) { continue }
      let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      let name = String(parts[0])
      // With “=” a value may look like an option, but has to be there; without, the other way round.
      guard let value = parts.count > 1 ? String(parts[1]) : arguments.next(),
        parts.count > 1 ? !value.isEmpty : !value.hasPrefix("-") || value == "-",
        setOption(value, for: name)
      else { return nil }
    }
    if conflict != nil { return nil }
  }

  private mutating func setFlag(_ flag: String) -> Bool {
    switch flag {
    case "--dry-run": dryRun = true
    case "--yes": yes = true
    case "--json": options.json = true
    case "--verbose", "-v": options.verbose = true
    default: return false
    }
    return true
  }

  private mutating func setOption(_ value: String, for name: String) -> Bool {
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
    case "--config": options.file = value
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
