import Foundation
import PabalTesting
import Testing

@Suite struct PluginHeaderTests {
  private let header = "\(BuiltProducts.root)/Sources/CPabalTransport/include"

  private func compile(_ compiler: String, _ flags: [String], _ source: String, _ name: String) throws
    -> ChildProcess
  {
    let directory = try TemporaryDirectory()
    let file = try directory.write(source, to: name)
    return try ChildProcess.run(
      compiler, flags + ["-Wall", "-Wextra", "-pedantic", "-Werror", "-I", header, "-fsyntax-only", file])
  }

  @Test func `the header compiles as C11 and C++17 without warnings`() throws {
    let use = "#include \"pabal_transport.h\"\nint main(void) { return (int)PABAL_TRANSPORT_ABI - 1; }\n"
    let c = try compile("clang", ["-std=c11", "-Wstrict-prototypes"], use, "use.c")
    #expect(c.status == 0, "\(c.errors)")
    let cxx = try compile("clang", ["-x", "c++", "-std=c++17"], use, "use.cpp")
    #expect(cxx.status == 0, "\(cxx.errors)")
  }

  @Test func `the header is self-contained and may be included twice`() throws {
    let twice = "#include \"pabal_transport.h\"\n#include \"pabal_transport.h\"\nint x;\n"
    #expect(try compile("clang", ["-std=c11"], twice, "twice.c").status == 0)
  }

  @Test func `the layout of ABI 1 is unchanged`() throws {
    // The offsets and constants of ABI 1 on 64-bit machines, copied by hand.
    let promises = """
      #include "pabal_transport.h"
      #define AT(type, field, offset) _Static_assert(offsetof(type, field) == offset, #type "." #field)
      AT(pabal_transport, abi, 0); AT(pabal_transport, size, 4); AT(pabal_transport, name, 8);
      AT(pabal_transport, version, 16); AT(pabal_transport, summary, 24); AT(pabal_transport, settings, 32);
      AT(pabal_transport, setting_count, 40); AT(pabal_transport, open, 48); AT(pabal_transport, send, 56);
      AT(pabal_transport, close, 64); AT(pabal_transport, check, 72); AT(pabal_transport, pace_sends, 80);
      AT(pabal_transport, pace_seconds, 84); AT(pabal_transport, sender_settings, 88);
      AT(pabal_setting, size, 0); AT(pabal_setting, kind, 4); AT(pabal_setting, key, 8);
      AT(pabal_setting, help, 16); AT(pabal_setting, default_value, 24); AT(pabal_setting, choices, 32);
      AT(pabal_setting, minimum, 40); AT(pabal_setting, maximum, 48); AT(pabal_setting, required, 56);
      AT(pabal_setting, secret, 60);
      AT(pabal_value, given, 4); AT(pabal_value, text, 8); AT(pabal_value, number, 16); AT(pabal_value, user, 24);
      AT(pabal_verdict, size, 0); AT(pabal_verdict, outcome, 4); AT(pabal_verdict, scope, 8);
      AT(pabal_verdict, retry_after, 16);
      AT(pabal_mail, size, 0); AT(pabal_mail, needs, 4); AT(pabal_mail, id, 8); AT(pabal_mail, message_id, 16);
      AT(pabal_mail, sender, 24); AT(pabal_mail, recipients, 32); AT(pabal_mail, recipient_count, 40);
      AT(pabal_mail, octets, 48); AT(pabal_mail, octet_count, 56);
      AT(pabal_host, abi, 0); AT(pabal_host, size, 4); AT(pabal_host, log, 8); AT(pabal_host, setting, 16);
      AT(pabal_host, fail, 24); AT(pabal_host, access_token, 32); AT(pabal_host, reply, 40);
      AT(pabal_host, remote_id, 48); AT(pabal_host, recipient, 56);
      AT(pabal_token, text, 8); AT(pabal_token, expires_in, 16);
      _Static_assert(PABAL_SENT == 1 && PABAL_DEFERRED == 2 && PABAL_UNSUITED == 3 && PABAL_REJECTED == 4 &&
                     PABAL_HELD == 5 && PABAL_UNKNOWN == 6 && PABAL_READY == 7, "outcomes");
      _Static_assert(PABAL_TEXT == 1 && PABAL_NUMBER == 2 && PABAL_BOOLEAN == 3 && PABAL_CHOICE == 4 &&
                     PABAL_DURATION == 5 && PABAL_PATH == 6 && PABAL_ACCOUNT == 7, "kinds");
      _Static_assert(PABAL_SCOPE_TRANSPORT == 1 && PABAL_SCOPE_MAIL == 2, "scopes");
      _Static_assert(PABAL_NEEDS_SMTPUTF8 == 1 && PABAL_NEEDS_8BITMIME == 2, "needs");
      int x;
      """
    let now = try compile("clang", ["-std=c11"], promises, "promises.c")
    #expect(now.status == 0, "\(now.errors)")
  }
}
