import PabalCore
import Testing

@Suite struct NearestTests {
  @Test func `a slip of the finger finds the key that was meant`() {
    #expect(nearest(to: "prot", among: ["host", "port", "account"]) == "port")
    #expect(nearest(to: "acount", among: ["host", "port", "account"]) == "account")
  }

  @Test func `a word far from every key suggests nothing`() {
    #expect(nearest(to: "colour", among: ["host", "port"]) == nil)
  }
}
