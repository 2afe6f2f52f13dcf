internal import Glibc

/// A call of the system's that failed, in words.
struct SystemError: Error, CustomStringConvertible {
  let call: String
  let code: CInt

  init(_ call: String, _ code: CInt) {
    self.call = call
    self.code = code
  }

  var description: String { "\(call): \(String(cString: strerror(code))) (errno \(code))" }
}

/// The result of a call, or its errno as an error.
@discardableResult
func valueOrErrno(_ call: String, _ result: CInt) throws(SystemError) -> CInt {
  guard result >= 0 else { throw SystemError(call, errno) }
  return result
}

/// Makes `path` and its missing parents, for the owner alone.
func makeDirectory(_ path: String) throws(SystemError) {
  if mkdir(path, 0o700) == 0 || errno == EEXIST { return }
  guard errno == ENOENT, let slash = path.lastIndex(of: "/"), slash > path.startIndex else {
    throw SystemError("mkdir", errno)
  }
  try makeDirectory(String(path[..<slash]))
  guard mkdir(path, 0o700) == 0 || errno == EEXIST else { throw SystemError("mkdir", errno) }
}
