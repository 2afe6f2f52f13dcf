import PabalCore
import Testing

@Suite struct InstallationTests {
  @Test func `both programs find the directory of pabal`() {
    for program in ["bin/pabal", "bin/pabal-main", "libexec/pabal/pabal-main"] {
      let installation = Installation(program: "/opt/pabal/\(program)")
      #expect(installation.binDirectory == "/opt/pabal/bin")
      #expect(installation.pluginDirectories == ["/opt/pabal/bin", "/opt/pabal/lib/pabal"])
      #expect(
        installation.mainProgramPaths == ["/opt/pabal/bin/pabal-main", "/opt/pabal/libexec/pabal/pabal-main"])
    }
  }

  @Test func `a directory that is only named libexec or pabal isn't special`() {
    #expect(Installation(program: "/srv/pabal/pabal").binDirectory == "/srv/pabal")
    #expect(Installation(program: "/srv/libexec/pabal").binDirectory == "/srv/libexec")
  }

  @Test func `a program in the root directory has no parent directories`() {
    #expect(Installation(program: "/pabal").mainProgramPaths == ["/pabal-main", "/libexec/pabal/pabal-main"])
    #expect(Installation(program: "/libexec/pabal/pabal-main").binDirectory == "/bin")
  }
}
