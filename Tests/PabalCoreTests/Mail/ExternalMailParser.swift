import Foundation
import PabalTesting

/// A mail as parsed by an independent program.
struct ParsedMail: Decodable {
  var subject: String?
  var from: [[String]]
  var to: [[String]]
  var cc: [[String]]
  var replyTo: [[String]]
  var text: String?
  var html: String?
  var names: [String]
  var defects: [String]
}

/// An independent mail parser that runs once for many mails.
enum ExternalMailParser: CaseIterable {
  case python
  case perl

  func read(_ mails: [[UInt8]]) async throws -> [ParsedMail] {
    try await run(
      self == .python ? ExternalMailParser.pythonMails : ExternalMailParser.perlMails, over: mails)
  }

  /// Parses only the subjects, which is a thousand times faster in Python.
  func readSubjects(_ mails: [[UInt8]]) async throws -> [String] {
    try await run(
      self == .python ? ExternalMailParser.pythonSubjects : ExternalMailParser.perlSubjects, over: mails)
  }

  func run<Result: Decodable>(_ script: String, over mails: [[UInt8]]) async throws -> [Result] {
    var input = Data()
    for mail in mails {
      withUnsafeBytes(of: UInt32(mail.count).bigEndian) { input.append(contentsOf: $0) }
      input.append(contentsOf: mail)
    }
    let output =
      switch self {
      case .python:
        try await PabalCoreTests.run(
          "python3", ["-c", ExternalMailParser.pythonCases + script], input: input)
      case .perl:
        try await PabalCoreTests.run("perl", ["-e", ExternalMailParser.perlCases + script], input: input)
      }
    return try JSONDecoder().decode([Result].self, from: output)
  }

  private static let pythonCases = #"""
    import sys, json, email, email.policy, email.header, email.utils, re
    data = sys.stdin.buffer.read()
    def mails():
        at = 0
        while at < len(data):
            n = int.from_bytes(data[at:at + 4], "big")
            yield data[at + 4:at + 4 + n]
            at += 4 + n

    """#

  private static let pythonMails = #"""
    cases = []
    def people(mail, name):
        # Not header.addresses: Python 3.11 keeps the space between two encoded words of a name.
        lines = [v for k, v in mail.raw_items() if k.lower() == name]
        raw = [re.sub("\r?\n", "", v).encode("ascii", "surrogateescape").decode() for v in lines]
        decode = lambda v: str(email.header.make_header(email.header.decode_header(v)))
        return [[decode(n), a] for n, a in email.utils.getaddresses(raw)]
    for content in mails():
        mail = email.message_from_bytes(content, policy=email.policy.default.clone(utf8=True))
        defects = [str(d) for part in mail.walk() for d in part.defects]
        defects += [f"{k}: {d}" for k, v in mail.items() for d in getattr(v, "defects", ())]
        def body(kind):
            part = mail.get_body(preferencelist=(kind,))
            return None if part is None else part.get_content().replace("\r\n", "\n")
        subject = mail["subject"]
        cases.append(dict(
            subject=None if subject is None else str(subject), names=list(mail.keys()),
            to=people(mail, "to"), cc=people(mail, "cc"), replyTo=people(mail, "reply-to"),
            text=body("plain"), html=body("html"), defects=defects, **{"from": people(mail, "from")}))
    json.dump(cases, sys.stdout)
    """#

  private static let pythonSubjects = #"""
    cases = []
    for content in mails():
        raw = email.message_from_bytes(content)["subject"]
        cases.append(str(email.header.make_header(email.header.decode_header(re.sub("\r?\n", "", raw)))))
    json.dump(cases, sys.stdout)
    """#

  private static let perlCases = #"""
    use strict; use warnings; use Email::MIME; use Email::Address::XS; use JSON::PP;
    binmode STDIN; local $/; my $data = <STDIN>; my $at = 0; my @cases;
    sub following {
      return if $at >= length $data;
      my $n = unpack 'N', substr $data, $at, 4;
      my $mail = Email::MIME->new(substr $data, $at + 4, $n); $at += 4 + $n;
      return $mail;
    }

    """#

  private static let perlMails = #"""
    while (my $mail = following()) {
      my %case = (subject => $mail->header_str('Subject'), names => [$mail->header_names], defects => []);
      for (['from', 'From'], ['to', 'To'], ['cc', 'Cc'], ['replyTo', 'Reply-To']) {
        my $object = $mail->header_as_obj($_->[1]);
        $case{$_->[0]} = $object ? [map { [$_->phrase // '', $_->address // ''] } $object->addresses] : [];
      }
      $mail->walk_parts(sub {
        my $part = shift; return if $part->subparts;
        my $body = $part->body_str; $body =~ s/\r\n/\n/g;
        $case{$part->content_type =~ m{text/html} ? 'html' : 'text'} = $body;
      });
      push @cases, \%case;
    }
    print JSON::PP->new->utf8->encode(\@cases);
    """#

  private static let perlSubjects = #"""
    while (my $mail = following()) { push @cases, $mail->header_str('Subject') }
    print JSON::PP->new->utf8->encode(\@cases);
    """#
}

/// Returns the output of a child process with the given input; throws unless it exits with 0.
func run(_ program: String, _ arguments: [String], input: Data) async throws -> Data {
  let runs = await mapOnThreads([Array(input)]) { input in
    Result { try ChildProcess.run(program, arguments, input: input) }
  }
  let run = try runs[0].get()
  guard run.status == 0 else {
    throw ChildProcessError(program: program, status: run.status, errors: run.errors)
  }
  return Data(run.bytes)
}

struct ChildProcessError: Error {
  var program: String
  var status: Int32
  var errors: String
}
