#!/usr/bin/env python3
"""Shows pages in a headless Chromium, driven over its debugging pipe.

  browser.py show < JOBS            JOBS: [{"html" or "url", "width", "height", "scheme", "evaluate", "picture"}]
                                    prints a JSON list of the results of "evaluate"
  browser.py follow PABAL FILE      runs `PABAL messages preview --watch` in the working directory, breaks and
                                    repairs FILE, prints what an open page showed after each edit
"""
import base64, fcntl, json, os, shutil, subprocess, sys, tempfile, time

TIMEOUT = 60


class Browser:
    def __init__(self):
        program = shutil.which("chromium")
        self.profile = tempfile.mkdtemp(prefix="pabal-browser-")
        child_input, self.output = os.pipe()
        self.input, child_output = os.pipe()
        # Chromium reads descriptor 3 and writes 4; duplicated to high numbers first so that neither is overwritten.
        ends = [fcntl.fcntl(end, fcntl.F_DUPFD, 50) for end in (child_input, child_output)]
        os.close(child_input), os.close(child_output)
        shell = f'exec 3<&{ends[0]} 4>&{ends[1]} {ends[0]}<&- {ends[1]}>&-; exec "$@"'
        self.child = subprocess.Popen(
            ["bash", "-c", shell, "-", program, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
             "--no-first-run", f"--user-data-dir={self.profile}", "--remote-debugging-pipe", "about:blank"],
            pass_fds=ends, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for end in ends:
            os.close(end)
        self.number, self.rest, self.session = 0, b"", None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]

    def call(self, method, **params):
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.output, json.dumps(message).encode() + b"\0")
        while True:
            while b"\0" not in self.rest:
                content = os.read(self.input, 1 << 16)
                if not content:
                    raise SystemExit("chromium has gone away")
                self.rest += content
            line, self.rest = self.rest.split(b"\0", 1)
            answer = json.loads(line)
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]

    def window(self, width, height, scheme):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def evaluate(self, script):
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(answer["exceptionDetails"])
        return answer["result"].get("value")

    def until(self, script):
        """Returns the script's result as soon as it is not null; may be called while a page loads."""
        end = time.monotonic() + TIMEOUT
        while True:
            try:
                value = self.evaluate(script)
            except RuntimeError:
                value = None
            if value:
                return value
            if time.monotonic() > end:
                raise SystemExit(f"never came true: {script}")
            time.sleep(0.05)

    def open(self, url):
        self.call("Page.navigate", url=url)
        self.until(f"location.href === {json.dumps(url)} && document.readyState === 'complete'")

    def picture(self, file):
        content = self.call("Page.captureScreenshot", captureBeyondViewport=True)["data"]
        with open(file, "wb") as out:
            out.write(base64.b64decode(content))

    def close(self):
        self.session = None
        try:
            self.call("Browser.close")
        except (SystemExit, OSError):
            pass
        self.child.wait()
        shutil.rmtree(self.profile, ignore_errors=True)


def show(jobs):
    browser = Browser()
    answers = []
    for number, job in enumerate(jobs):
        browser.window(job["width"], job.get("height", 800), job.get("scheme", "light"))
        url = job.get("url")
        if url is None:
            file = f"{browser.profile}/page-{number}.html"
            with open(file, "w") as out:
                out.write(job["html"])
            url = "file://" + file
        browser.open(url)
        answers.append(browser.evaluate(job["evaluate"]) if "evaluate" in job else None)
        if "picture" in job:
            browser.picture(job["picture"])
    browser.close()
    json.dump(answers, sys.stdout)


def follow(pabal, file):
    served = subprocess.Popen([pabal, "messages", "preview", "--watch", "--port", "0", "--json"],
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    answers = {}
    try:
        answer = served.stdout.readline()
        while not answer.strip().endswith(b"}"):
            answer += served.stdout.readline()
        browser = Browser()
        browser.window(1280, 800, "light")
        browser.open(json.loads(answer)["url"])
        shown = "document.querySelector('main').innerText"
        with open(file) as source:
            good = source.read()

        def edit(text):
            with open(file + "~", "w") as out:
                out.write(text)
            os.replace(file + "~", file)

        answers["first"] = browser.evaluate(shown)
        edit(good.replace("{{service}}", "{{servcie}}"))
        browser.until("document.readyState === 'complete' && document.querySelector('.problems') !== null")
        answers["broken"] = browser.evaluate(shown)
        edit(good.replace("Subject: ", "Subject: EDITED "))
        browser.until("document.readyState === 'complete' && document.querySelector('.problems') === null && "
                      + shown + ".includes('EDITED')")
        answers["fixed"] = browser.evaluate(shown)
        browser.close()
    finally:
        served.kill()
        served.wait()
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    if sys.argv[1:2] == ["show"]:
        show(json.load(sys.stdin))
    elif sys.argv[1:2] == ["follow"] and len(sys.argv) == 4:
        follow(*sys.argv[2:])
    else:
        raise SystemExit(__doc__)
