/// `path.key`, the key in quotes where it would be misread bare.
func fieldPath(_ path: String, _ key: String) -> String {
  let key = isPlainKey(key) ? key : quoted(key)
  return path.isEmpty ? key : "\(path).\(key)"
}

/// Whether `key` can stand in a line for people without quotes.
func isPlainKey(_ key: String) -> Bool {
  1...64 ~= key.unicodeScalars.count
    && key.unicodeScalars.allSatisfy { scalar in
      scalar.properties.isAlphabetic || scalar.properties.numericType != nil
        || "-_$".unicodeScalars.contains(scalar)
    }
}
