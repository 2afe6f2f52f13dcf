internal import CPabalIDN
internal import Glibc

/// The host of a URL, as it is written in a link and as it is shown.
package struct InternationalHost: Sendable, Hashable {
  /// The host in lower case as A-labels, or an IP address, in brackets if it is IPv6.
  package let ascii: String
  /// The host with its U-labels, where no other script could be mistaken for them.
  package let shown: String

  /// Parses a host without port; `nil` if it isn't valid.
  package init?(_ text: String) {
    guard !text.isEmpty, text.utf8.count <= 1_024 else { return nil }
    if text.utf8.first == UInt8(ascii: "[") {
      guard text.utf8.last == UInt8(ascii: "]"), !text.utf8.contains(0) else { return nil }
      var address = in6_addr()
      guard inet_pton(AF_INET6, String(text.dropFirst().dropLast()), &address) == 1 else { return nil }
      ascii = text.lowercased()
      shown = ascii
      return
    }
    var name = text.lowercased()
    if !text.utf8.allSatisfy({ $0 < 0x80 }) {
      do throws(AddressError) {
        name = try Domain.aLabels(text)
      } catch {
        return nil
      }
    }
    guard InternationalHost.isHostName(name) else { return nil }
    ascii = name
    shown = name.contains("xn--") ? InternationalHost.shown(name) : name
  }

  /// Whether `name` has labels of letters, digits, hyphens and underscores, which some hosts have in spite of RFC 1123.
  private static func isHostName(_ name: String) -> Bool {
    var labels = name.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    // A dot at the end is the root of the DNS.
    if labels.count > 1, labels.last?.isEmpty == true { labels.removeLast() }
    guard name.utf8.count <= 254 else { return false }
    return labels.allSatisfy { label in
      (1...63).contains(label.count)
        && label.allSatisfy {
          switch $0 {
          case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
            UInt8(ascii: "-"),
            UInt8(ascii: "_"):
            true
          default: false
          }
        }
    }
  }

  private static func shown(_ name: String) -> String {
    name.split(separator: ".", omittingEmptySubsequences: false).map { label in
      guard label.hasPrefix("xn--"), let unicode = uLabel(String(label)), isDistinct(unicode) else {
        return String(label)
      }
      return unicode
    }.joined(separator: ".")
  }

  /// Returns a label's U-label; `nil` if it isn't one that is looked up as this A-label.
  private static func uLabel(_ label: String) -> String? {
    var found: UnsafeMutablePointer<CChar>?
    guard idn2_to_unicode_8z8z(label, &found, 0) == IDN2_OK.rawValue, let found else { return nil }
    defer { idn2_free(found) }
    let unicode = String(cString: found)
    guard let back = try? Domain.aLabels(unicode), back == label else { return nil }
    return unicode
  }

  /// Whether a label can't be mistaken for one in another script: Hangul with ASCII, Han and Kana without Latin
  /// letters, or Latin letters. Other scripts, such as Cyrillic, have letters that look like Latin ones.
  private static func isDistinct(_ label: String) -> Bool {
    var scripts: Set<Script> = []
    for scalar in label.unicodeScalars {
      switch scalar.value {
      case UInt32(UInt8(ascii: "0"))...UInt32(UInt8(ascii: "9")), UInt32(UInt8(ascii: "-")): break
      case UInt32(UInt8(ascii: "a"))...UInt32(UInt8(ascii: "z")): scripts.insert(.ascii)
      case 0xAC00...0xD7A3: scripts.insert(.hangul)
      // Not ノ, ー, 一, 丶, 丿, 〇 and their like: they look like a slash, a hyphen or a dot.
      case 0x3007, 0x30CE, 0x30FC, 0x4E00, 0x4E36, 0x4E3F: return false
      case 0x3041...0x3096, 0x30A1...0x30FA, 0x3005, 0x3400...0x4DBF, 0x4E01...0x9FFF:
        scripts.insert(.chinese)
      // Without ı, ĸ, ŉ and ſ, which look like i, k, n and f.
      case 0x131, 0x138, 0x149, 0x17F: return false
      case 0xDF...0xF6, 0xF8...0x17E: scripts.insert(.latin)
      default: return false
      }
    }
    return scripts.count <= 1 || scripts == [.ascii, .hangul] || scripts == [.ascii, .latin]
  }

  private enum Script { case ascii, latin, hangul, chinese }
}
