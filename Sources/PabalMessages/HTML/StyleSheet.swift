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

    var weight: Int { (className == nil ? 0 : 10) + (element == nil ? 0 : 1) }
  }

  /// A property and its value.
  struct Declared: Sendable, Hashable {
    var property: String
    var value: String
  }

  private(set) var rules: [Rule] = []
  /// What stays in the `<style>`.
  private(set) var rest = ""
  /// What can't be read, if anything.
  private(set) var mistake: String?

  init(_ css: String = "") {
    var reader = StyleReader(css)
    while let part = reader.next() {
      switch part {
      case .rule(let selectors, let body):
        let declarations = StyleSheet.declarations(body)
        var kept: [String] = []
        for selector in selectors {
          if let (element, className) = StyleSheet.simple(selector) {
            rules.append(Rule(element: element, className: className, declarations: declarations))
          } else {
            kept.append(selector)
          }
        }
        if !kept.isEmpty {
          rest += kept.joined(separator: ",") + "{" + StyleSheet.written(declarations) + "}\n"
        }
      case .kept(let text):
        rest += text + "\n"
      }
    }
    mistake = reader.mistake
  }

  /// ` style="…"` for an element, or nothing where no rule is for it; `own` comes last, as it would in a browser.
  func attribute(element: String, classes: [String] = [], own: String = "") -> String {
    let matching = rules.enumerated().filter { _, rule in
      (rule.element ?? element) == element && (rule.className.map(classes.contains) ?? true)
    }
    let inOrder = matching.sorted { ($0.element.weight, $0.offset) < ($1.element.weight, $1.offset) }
    var merged: [Declared] = []
    for declared in inOrder.flatMap(\.element.declarations) + StyleSheet.declarations(own) {
      // The last one holds, and stands last, so that `margin` and `margin-top` keep their order.
      merged.removeAll { $0.property == declared.property }
      merged.append(declared)
    }
    guard !merged.isEmpty else { return "" }
    return " style=\"" + String(StyleSheet.written(merged).map { $0 == "\"" ? "'" : $0 }) + "\""
  }

  private static func written(_ declarations: [Declared]) -> String {
    declarations.map { "\($0.property):\($0.value)" }.joined(separator: ";")
  }

  /// The element and class of a selector that has no more than these.
  private static func simple(_ selector: String) -> (String?, String?)? {
    func isName(_ text: Substring) -> Bool {
      !text.isEmpty
        && text.unicodeScalars.allSatisfy {
          $0.isASCII
            && ($0.properties.isAlphabetic || $0.properties.numericType != nil || $0 == "-" || $0 == "_")
        }
    }
    let parts = selector.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
    let element = parts[0].isEmpty ? nil : parts[0]
    if let element, !isName(element) { return nil }
    guard parts.count == 2 else { return element.map { (String($0).lowercased(), nil) } }
    guard isName(parts[1]) else { return nil }
    return (element.map { String($0).lowercased() }, String(parts[1]))
  }

  /// The declarations of a rule's body.
  static func declarations(_ body: String) -> [Declared] {
    StyleReader.split(body, at: ";").compactMap { part in
      guard let colon = part.firstIndex(of: ":") else { return nil }
      let property = StyleReader.trimmed(part[..<colon]).lowercased()
      let value = StyleReader.trimmed(part[part.index(after: colon)...])
      return property.isEmpty || value.isEmpty ? nil : Declared(property: property, value: value)
    }
  }
}
