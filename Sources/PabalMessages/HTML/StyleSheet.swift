/// The rules of a `<style>`, to be copied beside the elements they are for.
///
/// Mail programs differ in what they read of a `<style>`; `style=` they all read. Copied are rules whose
/// selectors are an element (`p`), a class (`.code`) or both (`p.code`), alone or in a list with commas;
/// everything else stays, media queries above all.
struct StyleSheet: Sendable {
  /// One selector and what it sets.
  struct Rule: Sendable {
    var element: String?
    var className: String?
    var declarations: [PropertyValue]

    fileprivate var specificity: Int { (className == nil ? 0 : 10) + (element == nil ? 0 : 1) }
  }

  /// A property and its value.
  struct PropertyValue: Sendable, Hashable {
    var property: String
    var value: String
  }

  /// The rules to copy, the weightier and the later last.
  private(set) var rules: [Rule] = []
  /// What stays in the `<style>`.
  private(set) var remainingCSS = ""
  /// What can't be read, if anything.
  private(set) var issue: String?

  init(_ css: String = "") {
    var reader = StyleSheetParser(css)
    // An element, a class, an element with a class.
    var bySpecificity: [Int: [Rule]] = [:]
    while let part = reader.next() {
      switch part {
      case .rule(let selectors, let body):
        let declarations = StyleSheet.declarations(body)
        var retained: [String] = []
        for selector in selectors {
          if let rule = StyleSheet.rule(selector, declarations) {
            bySpecificity[rule.specificity, default: []].append(rule)
          } else {
            retained.append(String(decoding: selector, as: UTF8.self))
          }
        }
        if !retained.isEmpty { remainingCSS += "\(retained.joined(separator: ",")){\(StyleSheet.written(declarations))}\n" }
      case .retained(let text):
        remainingCSS += text + "\n"
      }
    }
    rules = bySpecificity.sorted { $0.key < $1.key }.flatMap(\.value)
    issue = reader.issue
  }

  /// ` style="…"` for an element, or nothing where no rule is for it; `inlineStyle` comes last, as it would in a browser.
  func attribute(element: String, classes: [String] = [], inlineStyle: String = "") -> String {
    var merged: [PropertyValue] = []
    func merge(_ declarations: [PropertyValue]) {
      for declaration in declarations {
        // The last one holds, and stands last, so that `margin` and `margin-top` keep their order.
        if let old = merged.firstIndex(where: { $0.property == declaration.property }) { merged.remove(at: old) }
        merged.append(declaration)
      }
    }
    for rule in rules {
      guard rule.element == nil || rule.element == element else { continue }
      if let name = rule.className, !classes.contains(name) { continue }
      merge(rule.declarations)
    }
    if !inlineStyle.isEmpty { merge(StyleSheet.declarations(Array(inlineStyle.utf8)[...])) }
    guard !merged.isEmpty else { return "" }
    let written = StyleSheet.written(merged)
    guard written.utf8.contains(UInt8(ascii: "\"")) else { return " style=\"\(written)\"" }
    let single = written.utf8.map { $0 == UInt8(ascii: "\"") ? UInt8(ascii: "'") : $0 }
    return " style=\"\(String(decoding: single, as: UTF8.self))\""
  }

  private static func written(_ declarations: [PropertyValue]) -> String {
    var written = ""
    for declaration in declarations {
      if !written.isEmpty { written += ";" }
      written += declaration.property
      written += ":"
      written += declaration.value
    }
    return written
  }

  /// The rule of a selector that is no more than an element, a class or both.
  private static func rule(_ selector: StyleSheetParser.Octets, _ declarations: [PropertyValue]) -> Rule? {
    func name(_ octets: StyleSheetParser.Octets) -> String? {
      guard
        !octets.isEmpty,
        octets.allSatisfy({
          (0x61...0x7A).contains($0 | 0x20) || (0x30...0x39).contains($0) || $0 == UInt8(ascii: "-")
            || $0 == UInt8(ascii: "_")
        })
      else { return nil }
      return String(decoding: octets, as: UTF8.self)
    }
    let dot = selector.firstIndex(of: UInt8(ascii: ".")) ?? selector.endIndex
    let element = name(selector[..<dot])?.lowercased()
    guard element != nil || dot == selector.startIndex else { return nil }
    guard dot < selector.endIndex else {
      return element.map { Rule(element: $0, className: nil, declarations: declarations) }
    }
    return name(selector[(dot + 1)...]).map {
      Rule(element: element, className: $0, declarations: declarations)
    }
  }

  /// The declarations of a rule's body.
  private static func declarations(_ body: StyleSheetParser.Octets) -> [PropertyValue] {
    StyleSheetParser.split(body, at: UInt8(ascii: ";")).compactMap { part in
      guard let colon = part.firstIndex(of: UInt8(ascii: ":")) else { return nil }
      let property = StyleSheetParser.trimmed(part[..<colon])
      let value = StyleSheetParser.collapsed(part[(colon + 1)...])
      guard !property.isEmpty, !value.isEmpty else { return nil }
      return PropertyValue(
        property: String(decoding: property, as: UTF8.self).lowercased(),
        value: String(decoding: value, as: UTF8.self))
    }
  }
}
