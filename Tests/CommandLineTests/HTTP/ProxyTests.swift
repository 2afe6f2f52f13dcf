import Foundation
import PabalTesting
import Testing

/// The service behind the proxies of `Examples/Proxies`, over TLS.
@Suite struct ProxyTests {
  @Test(
    .enabled("needs nginx, HAProxy and Caddy: ./dev prepare installs them") {
      ["/usr/sbin/nginx", "/usr/sbin/haproxy", "/usr/bin/caddy"].allSatisfy(\.exists)
    }, arguments: ["nginx", "haproxy", "caddy"])
  func `clients keep their addresses, and idle connections cost no request`(
    proxy: String
  ) throws {
    let serve = """
      "serve": { "listen": "LISTEN", "keyless": true, "proxies": ["127.0.0.1"], "hosts": ["shop.example.com"],
        "connections": { "idle": "2s" } }, "verification": { "clientStarts": ["1/1h"] }
      """
    let site = try TestSite(TestSite.shipped(with: serve))
    let run = try ChildProcess.run(
      "python3",
      [
        "\(BuiltProducts.root)/Tests/Servers/proxied.py", "\(BuiltProducts.directory)/pabal",
        site.directory.path,
        proxy,
      ])
    #expect(run.status == 0, "\(run.errors)")
    let result = try run.json
    #expect(result["addresses"] as? [Int] == [202, 429, 202, 429, 202])
    let idle = try #require(result["idle"] as? [String: Int])
    #expect(idle.keys.sorted() == ["404"] && idle["404"] ?? 0 > 100, "\(run.output)")
    let restarts = try #require(result["restarts"] as? [String: Int])
    #expect(restarts.keys.sorted() == ["404"] && restarts["404"] ?? 0 > 100, "\(run.output)")
    #expect(result["warnings"] as? [String] == [])
  }
}
