import PabalCore
import Testing

@Suite struct InstallationTests {
  @Test func `both programs know the folder of pabal`() {
    for program in ["bin/pabal", "bin/pabal-service", "libexec/pabal/pabal-service"] {
      let installation = Installation(program: "/opt/pabal/\(program)")
      #expect(installation.binDirectory == "/opt/pabal/bin")
      #expect(installation.pluginDirectories == ["/opt/pabal/bin", "/opt/pabal/lib/pabal"])
      #expect(
        installation.mainProgramPaths == ["/opt/pabal/bin/pabal-service", "/opt/pabal/libexec/pabal/pabal-service"])
    }
  }

  @Test func `a folder that is merely called libexec or pabal is a folder`() {
    #expect(Installation(program: "/srv/pabal/pabal").binDirectory == "/srv/pabal")
    #expect(Installation(program: "/srv/libexec/pabal").binDirectory == "/srv/libexec")
  }

  @Test func `at the top of the tree there is nothing above`() {
    #expect(Installation(program: "/pabal").mainProgramPaths == ["/pabal-service", "/libexec/pabal/pabal-service"])
    #expect(Installation(program: "/libexec/pabal/pabal-service").binDirectory == "/bin")
  }
}
