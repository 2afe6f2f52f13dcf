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
    var declarations: [Declared]

    fileprivate var weight: Int { (className == nil ? 0 : 10) + (element == nil ? 0 : 1) }
  }

  /// A property and its value.
  struct Declared: Sendable, Hashable {
    var property: String
    var value: String
  }

  /// The rules to copy, the weightier and the later last.
  private(set) var rules: [Rule] = []
  /// What stays in the `<style>`.
  private(set) var rest = ""
  /// What can't be read, if anything.
  private(set) var mistake: String?

  init(_ css: String = "") {
    var reader = StyleReader(css)
    // An element, a class, an element with a class.
    var byWeight: [Int: [Rule]] = [:]
    while let part = reader.next() {
      switch part {
      case .rule(let selectors, let body):
        let declarations = StyleSheet.declarations(body)
        var kept: [String] = []
        for selector in selectors {
          if let rule = StyleSheet.rule(selector, declarations) {
            byWeight[rule.weight, default: []].append(rule)
          } else {
            kept.append(String(decoding: selector, as: UTF8.self))
          }
        }
        if !kept.isEmpty { rest += "\(kept.joined(separator: ",")){\(StyleSheet.written(declarations))}\n" }
      case .kept(let text):
        rest += text + "\n"
      }
    }
    rules = byWeight.sorted { $0.key < $1.key }.flatMap(\.value)
    mistake = reader.mistake
  }

  /// ` style="…"` for an element, or nothing where no rule is for it; `own` comes last, as it would in a browser.
  func attribute(element: String, classes: [String] = [], own: String = "") -> String {
    var merged: [Declared] = []
    func merge(_ declarations: [Declared]) {
      for declared in declarations {
        // The last one holds, and stands last, so that `margin` and `margin-top` keep their order.
        if let old = merged.firstIndex(where: { $0.property == declared.property }) { merged.remove(at: old) }
        merged.append(declared)
      }
    }
    for rule in rules {
      guard rule.element == nil || rule.element == element else { continue }
      if let name = rule.className, !classes.contains(name) { continue }
      merge(rule.declarations)
    }
    if !own.isEmpty { merge(StyleSheet.declarations(Array(own.utf8)[...])) }
    guard !merged.isEmpty else { return "" }
    let written = StyleSheet.written(merged)
    guard written.utf8.contains(UInt8(ascii: "\"")) else { return " style=\"\(written)\"" }
    let single = written.utf8.map { $0 == UInt8(ascii: "\"") ? UInt8(ascii: "'") : $0 }
    return " style=\"\(String(decoding: single, as: UTF8.self))\""
  }

  private static func written(_ declarations: [Declared]) -> String {
    var written = ""
    for declared in declarations {
      if !written.isEmpty { written += ";" }
      written += declared.property
      written += ":"
      written += declared.value
    }
    return written
  }

  /// The rule of a selector that is no more than an element, a class or both.
  private static func rule(_ selector: StyleReader.Octets, _ declarations: [Declared]) -> Rule? {
    func name(_ octets: StyleReader.Octets) -> String? {
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
  private static func declarations(_ body: StyleReader.Octets) -> [Declared] {
    StyleReader.split(body, at: UInt8(ascii: ";")).compactMap { part in
      guard let colon = part.firstIndex(of: UInt8(ascii: ":")) else { return nil }
      let property = StyleReader.trimmed(part[..<colon])
      let value = StyleReader.squeezed(part[(colon + 1)...])
      guard !property.isEmpty, !value.isEmpty else { return nil }
      return Declared(
        property: String(decoding: property, as: UTF8.self).lowercased(),
        value: String(decoding: value, as: UTF8.self))
    }
  }
}
