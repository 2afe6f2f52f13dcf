#!/usr/bin/env python3
"""Uses the page of `pabal serve --demo` as people do, in a headless Chromium with a keyboard.

  demo.py PABAL AXE LANGUAGE WIDTH SCHEME [PICTURES]   one complete run
  demo.py PABAL AXE all [PICTURES]                     every error case

The working directory has a config.json whose "127.0.0.1:0" is replaced by a free port. Prints a JSON list of what was
seen in each state. PICTURES is a folder for a screenshot of each; PABAL_CLOCK the fixture that advances the clock.
"""
import email, email.policy, glob, json, os, re, signal, socket, subprocess, sys, time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from browser import Browser

CODE = "document.getElementById('code') !== null"
ADDRESS = "document.getElementById('address') !== null"
ERROR = "document.querySelector('main .error') !== null"
ENDED = "document.querySelector('h1[class]') !== null"


class Service:
    """The program, on the same port after every restart."""

    def __init__(self, pabal):
        self.pabal = pabal
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        with open("config.json") as file:
            text = file.read()
        with open("config.json", "w") as file:
            file.write(text.replace("127.0.0.1:0", f"127.0.0.1:{self.port}"))
        self.child, self.ahead = None, 0

    def start(self, *words):
        self.stop()
        # The parent process may ignore the signal that ends the program.
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        clock = {"LD_PRELOAD": os.environ["PABAL_CLOCK"], "PABAL_TEST_CLOCK": str(self.ahead)} if self.ahead else {}
        self.child = subprocess.Popen([self.pabal, "serve", "--demo", *words], stderr=subprocess.PIPE,
                                      env={**os.environ, **clock})
        said = b""
        while b"listening" not in said:
            line = self.child.stderr.readline()
            if not line:
                raise SystemExit(f"the service ended: {said.decode()}")
            said += line
        # Its log must not fill the pipe.
        subprocess.Popen(["cat"], stdin=self.child.stderr, stdout=subprocess.DEVNULL)

    def stop(self):
        if self.child:
            self.child.terminate()
            self.child.wait()
            self.child = None


class Reader:
    """A person who uses the page."""

    def __init__(self, service, axe, pictures):
        self.service, self.pictures, self.seen = service, pictures, []
        with open(axe) as file:
            self.axe = file.read()
        self.browser = Browser()
        self.name = ""

    def open(self, language, width, scheme):
        self.width, self.scheme = width, scheme
        self.browser.window(width, 740, scheme)
        self.name = f"{language}-{width}-{scheme}"
        self.browser.open(f"http://127.0.0.1:{self.service.port}/?language={language}")

    def reload(self):
        self.browser.evaluate("window.isOld = true")
        self.browser.call("Page.reload")
        self.browser.until("!window.isOld && document.readyState === 'complete'")

    def key(self, key, code, text=None):
        event = {"key": key, "code": key, "windowsVirtualKeyCode": code}
        self.browser.call("Input.dispatchKeyEvent", type="keyDown", **event, **({"text": text} if text else {}))
        self.browser.call("Input.dispatchKeyEvent", type="keyUp", **event)

    def type(self, text):
        """Replaces the content of the focused field."""
        self.browser.evaluate("document.activeElement.select()")
        self.browser.call("Input.insertText", text=text)

    def enter(self, then):
        """Presses Enter and waits for a new state of the page in which `then` is true."""
        self.browser.evaluate("window.before = document.getElementById('page')")
        self.key("Enter", 13, "\r")
        self.changed(then)

    def changed(self, then):
        self.browser.until(f"document.getElementById('page') !== window.before && ({then})")

    def tab(self, to):
        """Presses Tab until an element has the focus."""
        for _ in range(20):
            if self.browser.evaluate(f"document.activeElement?.matches({json.dumps(to)}) ?? false"):
                return
            self.key("Tab", 9)
        raise SystemExit(f"no way by Tab to {to}")

    def look(self, state):
        """Records what is visible, what a screen reader announces, and the findings of axe-core."""
        self.browser.until("!document.querySelector('iframe') || document.querySelector('iframe').offsetHeight > 100")
        self.browser.evaluate(f"if (!window.axe) {{ {self.axe} }}; undefined")
        answer = self.browser.evaluate("""(async () => {
          const field = document.querySelector("main input:not([type=hidden])"), active = document.activeElement;
          const described = (field?.getAttribute("aria-describedby") ?? "").split(" ").filter(Boolean)
            .map((id) => document.getElementById(id)?.textContent ?? "MISSING " + id);
          // The mail in the frame has tests of its own, and no script may run there.
          const found = await axe.run(document, { iframes: false });
          return { title: document.title, lang: document.documentElement.lang,
            heading: document.querySelector("h1").textContent, text: document.querySelector("main").innerText,
            focus: active.id || active.localName, described,
            invalid: field?.getAttribute("aria-invalid") === "true", value: field?.value ?? null,
            status: document.getElementById("status").textContent,
            failure: document.getElementById("failure").textContent,
            width: [document.documentElement.scrollWidth, innerWidth],
            mail: document.querySelector("#mail dd:last-of-type")?.textContent ?? null,
            small: [...document.querySelectorAll("button, input:not([type=hidden]), summary")]
              .filter((e) => e.getBoundingClientRect().height < 24).length,
            rules: found.passes.length, violations: found.violations.map((v) => `${v.impact} ${v.id}: ${v.nodes[0].html}`) };
        })()""")
        answer["state"] = state
        self.seen.append(answer)
        if self.pictures:
            os.makedirs(self.pictures, exist_ok=True)
            height = self.browser.evaluate("document.documentElement.scrollHeight")
            self.browser.window(self.width, max(height, 600), self.scheme)
            self.browser.picture(f"{self.pictures}/{self.name}-{len(self.seen):02}-{state}.png")
            self.browser.window(self.width, 740, self.scheme)

    def wait(self, seconds):
        """Advances the clock of the service and of the open page."""
        self.service.ahead += seconds
        self.service.start()
        self.browser.evaluate(f"window.before = document.getElementById('page'); {{ const now = Date.now; "
                              f"Date.now = () => now() + {seconds * 1000}; }}")

    def move(self, steps, then):
        """Uses the browser's Back or Forward."""
        self.browser.evaluate("window.before = document.getElementById('page')")
        self.browser.evaluate(f"history.go({steps})")
        self.changed(then)

    def start(self, address):
        self.type(address)
        self.enter(CODE)


def codes():
    """The codes of the mails sent, newest last."""
    found = []
    for file in sorted(glob.glob("mail/*.eml"), key=os.path.getmtime):
        with open(file, "rb") as file_bytes:
            mail = email.message_from_binary_file(file_bytes, policy=email.policy.default)
        found.append(re.search(r"\d{6}", mail["subject"])[0])
    return found


def wrong(code):
    return f"{(int(code) + 1) % 1000000:06}"


def once(reader, language, width, scheme):
    reader.service.start()
    reader.open(language, width, scheme)
    reader.look("address")
    reader.enter(ERROR)
    reader.look("no-address")
    reader.type("kim@")
    reader.enter(ERROR)
    reader.look("bad-address")
    reader.start("kim@example.com")
    reader.look("code")
    reader.enter(ERROR)
    reader.look("no-code")
    reader.type("12 34")
    reader.enter(ERROR)
    reader.look("bad-code")
    reader.type(wrong(codes()[-1]))
    reader.enter(ERROR)
    reader.look("mismatch")
    # Full-width digits, as typed with Korean and Japanese input methods, with a space in the middle.
    wide = "".join(chr(ord(digit) + 0xFEE0) for digit in codes()[-1])
    reader.type(f" {wide[:3]} {wide[3:]}")
    reader.enter(ENDED)
    reader.look("approved")
    reader.tab("main button")
    reader.enter(ADDRESS)
    reader.look("again")


def everything(reader):
    browser, service = reader.browser, reader.service
    service.start()
    reader.open("ko", 360, "dark")
    reader.start("resend@example.com")
    first = codes()[-1]
    # A phone discards pages while the mail is read.
    reader.reload()
    browser.until(CODE)
    reader.look("restored")
    reader.tab("header button")
    reader.enter(CODE)
    reader.look("other-language")
    # The chosen language survives a reload.
    reader.reload()
    browser.until(CODE)
    reader.look("other-language-reloaded")
    # Back leads to the address, Forward to the code.
    reader.move(-1, ADDRESS)
    reader.look("back")
    reader.move(1, CODE)
    reader.look("forward")
    reader.tab("header button")
    reader.enter(CODE)
    assert browser.evaluate("document.getElementById('resend').disabled")
    reader.wait(60)
    browser.until("!document.getElementById('resend').disabled")
    reader.tab("#resend")
    reader.enter(CODE)
    reader.look("resent")
    reader.type(first)
    reader.enter(ERROR)
    reader.look("earlier")
    assert browser.evaluate("document.getElementById('resend').disabled")
    reader.wait(60)
    browser.until("!document.getElementById('resend').disabled")
    reader.tab("#resend")
    reader.enter(CODE)
    reader.look("last-resend")
    for _ in range(3):
        reader.type(wrong(codes()[-1]))
        reader.enter(ERROR)
    reader.type(wrong(codes()[-1]))
    reader.enter(ENDED)
    reader.look("exhausted")
    reader.tab("main button")
    reader.enter(ADDRESS)

    reader.start("cancel@example.com")
    reader.tab("form[action='/demo/cancel'] button")
    reader.enter(ADDRESS)
    reader.look("withdrawn")
    # The field still has the address.
    reader.enter(ERROR)
    reader.look("cooldown")
    reader.wait(60)
    browser.until("document.querySelector('main .error') === null")

    reader.start("offline@example.com")
    reader.type("123456")
    service.stop()
    reader.key("Enter", 13, "\r")
    browser.until("document.getElementById('failure').textContent !== ''")
    reader.look("offline")
    service.start()
    reader.enter(ERROR)
    reader.look("online")
    reader.wait(600)
    reader.changed(ENDED)
    reader.look("expired")

    # The response takes seconds, because the transport waits; the page says so.
    service.start("--transport", "slow")
    browser.evaluate("sessionStorage.clear(); history.replaceState(null, '')")
    reader.open("ko", 360, "light")
    reader.type("slow@example.com")
    browser.evaluate("window.before = document.getElementById('page')")
    reader.key("Enter", 13, "\r")
    browser.until("document.querySelector('.progress') !== null")
    reader.look("progress")
    reader.changed(CODE)
    reader.look("slow")

    for number, outcome in enumerate(["rejected", "deferred", "held", "unknown"]):
        width, scheme = [(360, "light"), (1280, "dark")][number % 2]
        service.start("--transport", outcome)
        browser.evaluate("sessionStorage.clear(); history.replaceState(null, '')")
        reader.open(["ko", "en"][number // 2], width, scheme)
        reader.type(f"{outcome}@example.com")
        reader.enter(ERROR if outcome == "rejected" else CODE)
        reader.look(outcome)
    # Repaired; the page notices by itself, whatever is being typed.
    reader.browser.evaluate("document.getElementById('code').focus()")
    reader.type("12")
    before = len(codes())
    service.start("--transport", "file")
    subprocess.run([service.pabal, "outbox", "retry", "--all"], check=True, capture_output=True)
    browser.until("document.getElementById('mail') !== null")
    assert len(codes()) > before
    reader.look("recovered")


def main():
    words = sys.argv[1:]
    if len(words) < 3 or (words[2] != "all" and len(words) < 5):
        raise SystemExit(__doc__)
    service = Service(words[0])
    wanted = 3 if words[2] == "all" else 5
    reader = Reader(service, words[1], words[wanted] if len(words) > wanted else None)
    try:
        if words[2] == "all":
            everything(reader)
        else:
            once(reader, words[2], int(words[3]), words[4])
    finally:
        service.stop()
        reader.browser.close()
    json.dump(reader.seen, sys.stdout)


main()
