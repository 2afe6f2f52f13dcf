/// The address behind a link or an image, as an author wrote it.
struct LinkTarget {
  /// Its scalars, placeholders among them.
  let scalars: [Unicode.Scalar]
  /// Whether its first scalar is a variable that holds a whole address.
  private let beginsWithURLVariable: Bool

  /// The target, or `nil` when it is no https, http or (for a link) mailto address.
  init?(_ url: String, isImage: Bool, scope: TemplateStepBuilder.Scope, kinds: [VariableKind]) {
    scalars = Array(url.unicodeScalars)
    if let first = scalars.first, case .tag(let name)? = scope.tagged.placeholder(first) {
      guard let variable = scope.variables[name], kinds[variable] == .url else { return nil }
      beginsWithURLVariable = true
    } else {
      guard let rest = URLScheme.afterScheme(url, mail: !isImage), !rest.isEmpty else { return nil }
      beginsWithURLVariable = false
    }
  }

  /// Appends it to a plain text or into a quoted HTML attribute.
  func append(to builder: inout TemplateStepBuilder, isHTML: Bool, in table: inout TemplateFieldTable) {
    let rest = beginsWithURLVariable ? 1 : 0
    builder.append(scalars[..<rest], as: isHTML ? .urlAttribute : .url, in: &table)
    for scalar in scalars[rest...] {
      let isPlaceholder = SourceText.placeholders.contains(scalar.value)
      let escaping: ValueEscaping = isPlaceholder ? .urlComponent : isHTML ? .urlAttribute : .url
      builder.append(CollectionOfOne(scalar), as: escaping, in: &table)
    }
  }
}
