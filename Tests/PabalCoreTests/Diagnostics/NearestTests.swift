import PabalCore
import Testing

@Suite struct NearestTests {
  @Test func `a typing error suggests the intended key`() {
    #expect(nearest(to: "prot", among: ["host", "port", "account"]) == "port")
    #expect(nearest(to: "acount", among: ["host", "port", "account"]) == "account")
  }

  @Test func `a word unlike every key suggests nothing`() {
    #expect(nearest(to: "colour", among: ["host", "port"]) == nil)
  }
}
