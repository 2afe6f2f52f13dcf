import Foundation
import PabalTesting
import Testing

@Suite struct MessagesPreviewTests {
  private static let script = "\(BuiltProducts.root)/Tests/Servers/browser.py"

  @Test func `one file contains every message in every language and loads nothing else`() throws {
    let site = try TestSite()
    let run = try site.pabal("messages", "preview", "--output", "page.html")
    #expect(run.status == 0, "\(run.errors)")
    let page = try String(contentsOfFile: "\(site.directory.path)/page.html", encoding: .utf8)
    for name in ["verification", "registered", "sign-in-alert"] {
      for title in ["\(name) · ko", "\(name) · en"] { #expect(page.contains(title), "\(title)") }
    }
    for outside in ["<link", "<script src", "@import", "url(", "EventSource(\"/changes\")\nfollow"] {
      #expect(!page.contains(outside), "\(outside)")
    }
    #expect(!page.contains("follow(\""))
  }

  @Test func `a broken message is reported on the page and by the exit status, and the others are shown`()
    throws
  {
    let site = try TestSite()
    try site.directory.write("Subject: {{cod}}\n\n`{{code}}`\n", to: "messages/verification/ko.md")
    let run = try site.pabal("messages", "preview", "--output", "-")
    #expect(run.status == 65)
    #expect(run.output.contains("messages/verification/ko.md:1:10</code>"))
    #expect(run.output.contains("did you mean {{code}}?"))
    #expect(run.output.contains("sign-in-alert · ko"))
    #expect(!run.output.contains("verification · ko"))
  }

  @Test(arguments: [
    ("ko_KR.UTF-8", "수정할 곳", "{{code}}를 쓰려던 것인가요?"), ("C.UTF-8", "To fix", "did you mean {{code}}?"),
  ])
  func `the page and the errors are in the language of the terminal`(
    locale: String, heading: String, remedy: String
  )
    throws
  {
    let site = try TestSite()
    try site.directory.write("Subject: {{cod}}\n\n`{{code}}`\n", to: "messages/verification/ko.md")
    let page = try site.pabal("messages", "preview", "--output", "-", environment: ["LC_ALL": locale])
    #expect(page.output.contains(heading) && page.output.contains(remedy))
    #expect(page.errors.contains(remedy))
    let lint = try site.pabal("messages", "lint", environment: ["LC_ALL": locale])
    #expect(lint.status == 65 && lint.errors.contains(remedy))
    // Programs read the same in every language.
    let json = try site.pabal("messages", "lint", "--json", environment: ["LC_ALL": locale])
    #expect(json.output.contains("did you mean {{code}}?"))
  }

  @Test(arguments: [
    ["--watch", "--output", "x"], ["--port", "80"], ["--json", "--output", "-"], ["--watch", "--port", "-1"],
  ])
  func `options that exclude each other are a usage error`(options: [String]) throws {
    let site = try TestSite()
    let run = try ChildProcess.run(
      "\(BuiltProducts.directory)/pabal", ["messages", "preview"] + options,
      directory: site.directory.path)
    #expect(run.status == 64)
  }

  @Test func `the server serves only its page, and only to this machine`() throws {
    let script = """
      import json, re, socket, subprocess, sys
      served = subprocess.Popen([sys.argv[1], "messages", "preview", "--watch", "--port", "0"],
                                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
      port = int(re.search(rb":(\\d+)/", served.stdout.readline())[1])
      def ask(pieces):
          with socket.create_connection(("127.0.0.1", port), timeout=30) as s:
              for piece in pieces: s.sendall(piece)
              answer = b""
              while True:
                  more = s.recv(65536)
                  answer += more
                  if not more or (b"event-stream" in answer and b"data: " in answer and b"\\n\\n" in answer):
                      return answer.decode(errors="replace")
      good = b"GET / HTTP/1.1\\r\\nHost: localhost:%d\\r\\n\\r\\n" % port
      requests = {
          "good": [good], "in pieces": [bytes([o]) for o in good], "query": [good.replace(b"/ ", b"/?x=1 ", 1)],
          "changes": [good.replace(b"/ ", b"/changes ", 1)],
          "rebound": [good.replace(b"localhost", b"evil.example")],
          "rebound by prefix": [good.replace(b"localhost", b"127.0.0.1.evil.example")],
          "no host": [b"GET / HTTP/1.1\\r\\n\\r\\n"],
          "two hosts": [good.replace(b"\\r\\n\\r\\n", b"\\r\\nHost: evil.example\\r\\n\\r\\n")],
          "post": [good.replace(b"GET", b"POST")], "head": [good.replace(b"GET", b"HEAD")],
          "traversal": [good.replace(b"/ ", b"/../../etc/passwd ", 1)],
          "encoded": [good.replace(b"/ ", b"/%2e%2e/config.json ", 1)],
          "absolute": [good.replace(b"/ ", b"http://localhost/ ", 1)],
          "garbage": [b"\\x00\\xff\\r\\n\\r\\n"], "endless": [b"GET / HTTP/1.1\\r\\nX: " + b"x" * 16384],
      }
      answers = {name: ask(pieces) for name, pieces in requests.items()}
      # Idle connections must not block others.
      silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(40)]
      answers["beside silent ones"] = ask([good])
      served.kill()
      print(json.dumps({name: answer.split("\\r\\n")[0] for name, answer in answers.items()}
                       | {"heads": answers["good"].split("\\r\\n\\r\\n")[0], "event": answers["changes"][-40:]}))
      """
    let site = try TestSite()
    let run = try ChildProcess.run(
      "python3", ["-c", script, "\(BuiltProducts.directory)/pabal"], directory: site.directory.path)
    #expect(run.status == 0, "\(run.errors)")
    let answers = try #require(run.json as? [String: String])
    for name in ["good", "in pieces", "query", "changes", "beside silent ones"] {
      #expect(answers[name] == "HTTP/1.1 200 OK", "\(name)")
    }
    for name in ["rebound", "rebound by prefix", "no host", "two hosts"] {
      #expect(answers[name] == "HTTP/1.1 421 Misdirected Request", "\(name)")
    }
    for name in ["post", "head"] { #expect(answers[name] == "HTTP/1.1 405 Method Not Allowed", "\(name)") }
    for name in ["traversal", "encoded", "absolute"] {
      #expect(answers[name] == "HTTP/1.1 404 Not Found", "\(name)")
    }
    #expect(answers["garbage"] == "HTTP/1.1 400 Bad Request")
    #expect(answers["endless"] == "HTTP/1.1 431 Request Header Fields Too Large")
    #expect(answers["heads"]?.contains("X-Frame-Options: DENY") == true)
    #expect(answers["event"]?.contains("data: ") == true)
  }

  @Test(.needsChromium)
  func `an open page follows edits, reports errors and keeps the last valid version`() throws {
    let site = try TestSite()
    let run = try ChildProcess.run(
      "python3",
      [
        MessagesPreviewTests.script, "follow", "\(BuiltProducts.directory)/pabal",
        "messages/verification/ko.md",
      ], directory: site.directory.path)
    #expect(run.status == 0, "\(run.errors)")
    let shown = try #require(run.json as? [String: String])
    let (first, broken) = (try #require(shown["first"]), try #require(shown["broken"]))
    #expect(first.contains("[Pabal] 인증번호"))
    #expect(broken.contains("verification/ko.md:1:11"))
    #expect(broken.contains("did you mean {{service}}?"))
    // The last valid version is shown below the errors.
    for text in ["[Pabal] 인증번호 012345", "안녕하세요. Pabal에 가입해 주셔서 감사합니다."] {
      #expect(first.contains(text) && broken.contains(text), "\(text)")
    }
    #expect(shown["fixed"]?.contains("EDITED [Pabal] 인증번호") == true)
  }

  /// A page in a browser window.
  private struct View: Encodable {
    let html: String
    let width: Int
    let scheme: String
    let evaluate: String
  }

  @Test(.needsChromium)
  func `mails fit a phone's width and follow the colour scheme`() throws {
    let site = try TestSite()
    // Long words in every text, and a code of eight digits.
    let long = "대한민국우편물류디지털인증서비스 Donaudampfschifffahrtsgesellschaftskapitänswitwe & <Söhne>"
    let samples = [
      "verification": ["service=\(long)", "code=98765432"],
      "registered": ["service=\(long)"],
      "sign-in-alert": [
        "service=\(long)", "device=\(long)", "place=\(long)",
        "link=https://example.com/\(String(repeating: "f3b1c9d2", count: 12))",
      ],
    ]
    let names = try #require(
      JSONSerialization.jsonObject(with: Data(site.pabal("messages", "list", "--json").bytes))
        as? [[String: Any]])
    #expect(Set(names.compactMap { $0["name"] as? String }) == Set(samples.keys))
    let evaluate = """
      [document.documentElement.scrollWidth, innerWidth,
       ...["body", "p"].map(name => getComputedStyle(document.querySelector(name))
         [name === "p" ? "color" : "backgroundColor"].match(/\\d+/g).map(Number).reduce((a, b) => a + b))]
      """
    var views: [View] = []
    for (message, values) in samples.sorted(by: { $0.key < $1.key }) {
      for language in ["ko", "en"] {
        let arguments = ["messages", "render", message, "--language", language, "--part", "html"]
        let run = try ChildProcess.run(
          "\(BuiltProducts.directory)/pabal", arguments + values.flatMap { ["--set", $0] },
          directory: site.directory.path)
        #expect(run.status == 0, "\(run.errors)")
        for scheme in ["light", "dark"] {
          for width in [320, 360, 1280] {
            views.append(View(html: run.output, width: width, scheme: scheme, evaluate: evaluate))
          }
        }
      }
    }
    let run = try ChildProcess.run(
      "python3", [MessagesPreviewTests.script, "show"], input: Array(JSONEncoder().encode(views)))
    #expect(run.status == 0, "\(run.errors)")
    let seen = try #require(JSONSerialization.jsonObject(with: Data(run.bytes)) as? [[Int]])
    #expect(seen.count == views.count)
    for (view, numbers) in zip(views, seen) {
      #expect(numbers[0] <= numbers[1], "\(view.width) \(view.scheme): \(numbers)")
      #expect(numbers[1] == view.width)
      let (ground, words) = (numbers[2], numbers[3])
      #expect(view.scheme == "dark" ? ground < words : ground > words, "\(view.width) \(view.scheme)")
    }
  }

  @Test(.needsChromium)
  func `a frame shows its own scheme and width, whatever the browser's`() throws {
    let site = try TestSite()
    let page = try site.pabal("messages", "preview", "--output", "-").output
    let evaluate = """
      [...document.querySelectorAll("article[data-sample~=examples] figure[data-scheme]")].map(figure => {
        const frame = figure.querySelector("iframe"), inside = frame.contentDocument;
        if (!inside || !inside.querySelector(".card")) return ["not loaded"];
        const color = getComputedStyle(inside.querySelector("p")).color.match(/\\d+/g).map(Number);
        return [figure.dataset.scheme, frame.clientWidth == {phone: 360, desktop: 1280}[figure.dataset.width],
          color[0] > 128 ? "dark" : "light", frame.clientHeight >= inside.documentElement.scrollHeight];
      })
      """
    let views = ["light", "dark"].map { View(html: page, width: 1400, scheme: $0, evaluate: evaluate) }
    let run = try ChildProcess.run(
      "python3", [MessagesPreviewTests.script, "show"], input: Array(JSONEncoder().encode(views)))
    #expect(run.status == 0, "\(run.errors)")
    let seen = try #require(JSONSerialization.jsonObject(with: Data(run.bytes)) as? [[[Any]]])
    for frames in seen {
      #expect(frames.count == 24)
      for frame in frames where frame.count == 4 {
        #expect(frame[0] as? String == frame[2] as? String)
        #expect(frame[1] as? Bool == true)
        #expect(frame[3] as? Bool == true)
      }
      // Frames below the viewport load only when they are scrolled into view.
      #expect(frames.filter { $0.count == 4 }.count >= 4)
    }
  }
}
