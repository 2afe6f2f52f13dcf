/// `path.key`, the key in quotes where it would be misread bare.
func keyPath(_ path: String, _ key: String) -> String {
  let bare =
    !key.isEmpty
    && key.unicodeScalars.allSatisfy { scalar in
      scalar.properties.isAlphabetic || scalar.properties.numericType != nil
        || "-_$".unicodeScalars.contains(scalar)
    }
  let key = bare && key.unicodeScalars.count <= 64 ? key : quoted(key)
  return path.isEmpty ? key : "\(path).\(key)"
}
