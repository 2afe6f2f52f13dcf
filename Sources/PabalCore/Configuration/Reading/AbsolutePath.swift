/// Why a text is no path.
package struct PathError: Error {
  package var message: String
  package var remedy: String?
}

/// `path`, or where it leads from the absolute `directory` if it is relative; nothing is looked up.
package func absolutePath(_ path: String, from directory: String) throws(PathError) -> String {
  guard !path.isEmpty else { throw PathError(message: "the path is empty") }
  guard path != "~", !path.hasPrefix("~/") else {
    throw PathError(
      message: "~ isn't expanded here",
      remedy: "write the path of your home folder, or a path relative to this file")
  }
  if path.utf8.first == UInt8(ascii: "/") { return path }
  let rest = path.hasPrefix("./") ? String(path.dropFirst(2)) : path
  if rest.isEmpty || rest == "." { return directory }
  return directory.utf8.last == UInt8(ascii: "/") ? directory + rest : "\(directory)/\(rest)"
}
