internal import PabalCore

/// Writes the steps of one language of a message.
struct LanguageWriter {
  let tag: String
  let declaration: Declaration
  let text: MessageText
  let document: MarkdownNode
  let layout: HTMLTemplate

  /// The language, with the parts that are written by hand in place of those from the Markdown.
  func write(html byHand: HTMLTemplate?, plain: TaggedText?) -> (CompiledLanguage, [Diagnostic]) {
    var table = FieldTable()
    let kinds = declaration.variables.map(\.kind)
    let scope = StepBuilder.Scope(tagged: text.tagged, variables: declaration.index)
    func line(_ range: Range<Int>, as encoding: Encoding) -> StepList {
      var builder = StepBuilder(scope: scope)
      builder.append(text.tagged.scalars[range], as: encoding, in: &table)
      return builder.list
    }
    let subject = line(text.subject, as: .plain)

    let plainSteps: StepList
    if let plain {
      var builder = StepBuilder(scope: StepBuilder.Scope(tagged: plain, variables: declaration.index))
      builder.append(plain.scalars, as: .plain, in: &table)
      if plain.scalars.last != "\n" { builder.append(literal: "\n") }
      plainSteps = builder.list
    } else {
      plainSteps = TextWriter.write(document, scope: scope, kinds: kinds, table: &table)
    }

    var language = StepBuilder(scope: scope)
    language.append(literal: tag)
    var slots = [
      "language": language.list,
      "subject": line(text.subject, as: .html),
      "preview": text.preview.map { line($0, as: .html) } ?? StepList(),
    ]
    var mistakes: [Diagnostic] = []
    func content(of template: HTMLTemplate) -> StepList {
      HTMLWriter.write(document, scope: scope, kinds: kinds, styles: template.styles, table: &table)
    }
    func fill(_ template: HTMLTemplate) -> StepList {
      let (list, wrong) = LanguageWriter.fill(
        template, slots: slots, variables: declaration.index, kinds: kinds, table: &table)
      mistakes += wrong
      return list
    }
    let html: StepList
    if let byHand, byHand.isPage {
      if byHand.names.contains(where: { $0.name == "content" }) { slots["content"] = content(of: byHand) }
      html = fill(byHand)
    } else if let byHand {
      slots["content"] = fill(byHand)
      html = fill(layout)
    } else {
      slots["content"] = content(of: layout)
      html = fill(layout)
    }

    // The last guard of the promise that no placeholder is ever mailed.
    for list in [subject, plainSteps, html] where list.holdsPlaceholder {
      mistakes.append(
        Diagnostic(
          "a variable where none can stand", cure: "move it into the text", file: text.tagged.source.file))
    }
    let plan = Plan(
      subject: subject, text: plainSteps, html: html, fields: table.fields, variables: declaration.variables)
    // After the mail's own plan, which must not pay for a field that only the preview line has.
    let previewLine = text.preview.map { line($0, as: .plain) } ?? StepList()
    let inbox = Plan(
      subject: previewLine, text: StepList(), html: StepList(), fields: table.fields,
      variables: declaration.variables)
    var siteValues: [Int: FitValue] = [:]
    for (number, variable) in declaration.variables.enumerated() where variable.isOfSite {
      siteValues[number] = variable.fallback
    }
    let compiled = CompiledLanguage(tag: tag, whole: plan, inbox: inbox, siteValues: siteValues)
    return (compiled, mistakes)
  }

  private static func fill(
    _ template: HTMLTemplate, slots: [String: StepList], variables: [String: Int], kinds: [VariableKind],
    table: inout FieldTable
  ) -> (StepList, [Diagnostic]) {
    var builder = StepBuilder(scope: StepBuilder.Scope(tagged: template.tagged, variables: variables))
    var mistakes: [Diagnostic] = []
    for piece in template.pieces {
      switch piece {
      case .literal(let text): builder.append(literal: text)
      case .placeholder(let number, let encoding):
        let placeholder = template.tagged.placeholders[number]
        func mistake(_ what: String, _ cure: String) {
          mistakes.append(
            Diagnostic(
              what, cure: cure, file: template.file, position: template.tagged.position(ofPlaceholder: number)
            ))
        }
        let name = placeholder.name
        if variables[name] == nil, DeclarationReader.slots.contains(name) {
          guard encoding == .html else {
            mistake("{{\(name)}} in an address", "put a variable there, or take it out")
            break
          }
          if let slot = slots[name] {
            builder.append(slot)
          } else {
            mistake("{{\(name)}} in a part of a page", "take it out: this file is the content")
          }
        } else {
          if encoding == .addressHTML, let variable = variables[name], kinds[variable] != .url {
            mistake(
              "{{\(name)}} is a \(kinds[variable].rawValue) where a whole address belongs",
              "declare it with kind \"url\", or write https:// before it")
          }
          builder.append(placeholder, as: encoding, in: &table)
        }
      }
    }
    return (builder.list, mistakes)
  }
}

extension HTMLTemplate {
  /// The name to show in errors.
  var file: String { tagged.source.file }
}

extension StepList {
  /// Whether a placeholder was left among the literals.
  fileprivate var holdsPlaceholder: Bool {
    for (index, octet) in octets.enumerated() where octet >= 0xEE && octet <= 0xEF && index + 2 < octets.count
    {
      let scalar = UInt32(octet & 0x0F) << 12 | UInt32(octets[index + 1] & 0x3F) << 6
      if SourceText.placeholders.contains(scalar | UInt32(octets[index + 2] & 0x3F)) { return true }
    }
    return false
  }
}
