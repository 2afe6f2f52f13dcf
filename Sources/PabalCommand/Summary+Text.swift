extension LoadTest.Summary {
  /// The summary for a person.
  var text: String {
    func rounded(_ value: Double, _ digits: Double) -> Double { (value * digits).rounded() / digits }
    var lines = [
      "\(count) mails in \(rounded(seconds, 100)) s, \(rounded(perSecond, 10)) a second"
    ]
    if let p50 = p50.value, let p99 = p99.value {
      lines.append("each took \(rounded(p50, 100)) ms (median), \(rounded(p99, 100)) ms (99 of 100)")
    }
    for (outcome, number) in outcomes.sorted(by: { $0.value > $1.value }) {
      let reply = replies[outcome].map { ": \($0.replacing("\n", with: " "))" } ?? ""
      lines.append("\(outcome): \(number)\(reply)")
    }
    return lines.joined(separator: "\n")
  }
}
