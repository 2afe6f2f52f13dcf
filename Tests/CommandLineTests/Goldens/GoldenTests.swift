import PabalTesting
import Testing

/// Compares interfaces, sentences and data of earlier versions with the recorded ones.
///
/// `Tests/Goldens` has the recordings and the programs that make them; a failure prints the difference and what to do.
@Suite(.serialized) struct GoldenTests {
  private func run(_ script: String, _ arguments: [String]) throws {
    let run = try ChildProcess.run("python3", ["\(BuiltProducts.root)/Tests/Goldens/\(script)"] + arguments)
    #expect(run.status == 0, "\(run.output)\(run.errors)")
  }

  @Test func `interfaces are as they were recorded`() throws {
    try run("record.py", [BuiltProducts.directory, "--check", "interfaces"])
  }

  @Test func `sentences are as they were recorded`() throws {
    try run("record.py", [BuiltProducts.directory, "--check", "sentences"])
  }

  @Test func `data of earlier versions is opened and continued`() throws {
    try run("data.py", ["check", BuiltProducts.directory])
  }
}
