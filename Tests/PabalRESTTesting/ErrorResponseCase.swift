package import PabalPlugin
package import PabalTesting

/// A response, its expected verdict, and a word that the reply must contain.
package struct ErrorResponseCase: Sendable, CustomStringConvertible {
  package let act: RESTServerAction
  package let verdict: Verdict
  package let word: String?

  package init(_ act: RESTServerAction, _ verdict: Verdict, _ word: String? = nil) {
    self.act = act
    self.verdict = verdict
    self.word = word
  }

  package var description: String { "\(act.status ?? 0) \(act.body?.prefix(160) ?? "")" }
}
