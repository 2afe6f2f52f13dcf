internal import Glibc
internal import PabalFormats

/// A page on the disk that only this user can read and that leads a browser to a URL; removed when deinitialized.
///
/// Other users of the machine see the command line of the browser. With the `state` and the code challenge of the login's
/// URL, they could complete the login with an account of their own.
final class RedirectPage {
  /// The `file:` URL of the page.
  let url: String
  private let path: String
  private let folder: String?

  /// Creates the page next to `neighbor`, or in a folder of its own; `nil` if neither is possible.
  init?(to target: String, nextTo neighbor: String) {
    let html = """
      <!doctype html>
      <html lang="en"><head><meta charset="utf-8"><meta name="referrer" content="no-referrer">
      <title>Pabal</title><meta http-equiv="refresh" content="0;url=\(Self.escaped(target))"></head>
      <body><a href="\(Self.escaped(target))">Log in</a></body></html>

      """
    // Not in /tmp first, because a browser in a sandbox has a /tmp of its own.
    let name = neighbor[
      (neighbor.lastIndex(of: "/").map { neighbor.index(after: $0) } ?? neighbor.startIndex)...]
    let beside = "\(PrivateFile.parent(of: neighbor))/.\(name).login.html"
    if Self.write(html, to: beside) {
      (path, folder) = (beside, nil)
    } else {
      let base = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
      var template = Array("\(base)/pabal-login-XXXXXX".utf8CString)
      guard mkdtemp(&template) != nil else { return nil }
      let folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
      guard Self.write(html, to: "\(folder)/login.html") else {
        rmdir(folder)
        return nil
      }
      (path, self.folder) = ("\(folder)/login.html", folder)
    }
    guard let real = realpath(path, nil) else {
      unlink(path)
      if let folder { rmdir(folder) }
      return nil
    }
    defer { free(real) }
    url =
      "file://"
      + String(cString: real).split(separator: "/", omittingEmptySubsequences: false)
      .map { PercentEncoding.encode(String($0), allowing: .unreserved) }.joined(separator: "/")
  }

  deinit {
    unlink(path)
    if let folder { rmdir(folder) }
  }

  private static func write(_ html: String, to path: String) -> Bool {
    unlink(path)
    let file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard file >= 0 else { return false }
    defer { close(file) }
    do throws(FileWriteError) {
      try PrivateFile.writeAll(Array(html.utf8), to: file, path: path)
      return true
    } catch {
      unlink(path)
      return false
    }
  }

  private static func escaped(_ text: String) -> String {
    text.replacing("&", with: "&amp;").replacing("\"", with: "&quot;").replacing("<", with: "&lt;")
  }
}
