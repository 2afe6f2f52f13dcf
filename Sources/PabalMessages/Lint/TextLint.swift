internal import PabalCore

/// Checks for words and lines that don't belong in the text of a mail.
extension MessageLint {
  /// Finds a unit after a duration, whose value has its unit already: `{{valid_for}}분` would be mailed as 10분분.
  mutating func checkUnits(_ text: TaggedText) {
    let scalars = text.scalars
    for (index, scalar) in scalars.enumerated() {
      guard case .tag(let name)? = text.placeholder(scalar), let variable = declaration.index[name],
        declaration.variables[variable].kind == .duration
      else { continue }
      let start = index + (index + 1 < scalars.count && scalars[index + 1] == " " ? 2 : 1)
      guard let unit = MessageLint.unit(at: start, in: scalars) else { continue }
      report(
        "\(unit) after {{\(name)}}, which contains its unit already", "leave \(unit) out", in: text,
        at: text.position(at: start), severity: .warning)
    }
  }

  private static func unit(at start: Int, in scalars: [Unicode.Scalar]) -> String? {
    guard start < scalars.count else { return nil }
    for unit in units where scalars[start...].starts(with: unit.unicodeScalars) {
      let end = start + unit.unicodeScalars.count
      // What follows may make it another word: 초과, 분기, minuteman.
      guard end < scalars.count, scalars[end].properties.isAlphabetic else { return unit }
      if !unit.utf8.allSatisfy({ $0 < 0x80 }), "간동이은는을를에내만후".unicodeScalars.contains(scalars[end]) {
        return unit
      }
    }
    return nil
  }

  private static let units = [
    "시간", "분", "초", "minutes", "minute", "mins", "min", "hours", "hour", "seconds", "days",
  ]

  /// Finds the marks that a version control system leaves in a file when two edits conflict.
  mutating func checkConflicts(_ text: TaggedText) {
    let mark = "<<<<<<< ".unicodeScalars
    for index in text.scalars.indices where text.scalars[index] == "<" {
      guard index == 0 || text.scalars[index - 1] == "\n", text.scalars[index...].starts(with: mark) else {
        continue
      }
      report(
        "two edits of this text conflict",
        "keep one of them, and remove the lines that start with <<<<<<<, ======= and >>>>>>>", in: text,
        at: text.position(at: index))
    }
  }
}
