#!/usr/bin/env python3
"""An SMTP service on a Unix socket that records mail, as a stand-in for `pabal serve`.

submission.py SOCKET LOG [NAME=VALUE ...]

Prints "ready". Each accepted mail becomes a line of JSON in LOG: sender, recipients, the parameters of MAIL, the content
in Latin-1. Ends with its input. Settings: `extensions` is a comma-separated list in place of the usual ones; `greeting`,
`mail` and `content` are replies in place of the usual ones; `rcpt:ADDRESS` is the reply to a recipient; `lose` set to
"content" closes the connection after the content, without a reply, to "mail" after MAIL, and to "reply" once after a mail
was accepted.
"""
import json, re, socketserver, sys, threading

path, log = sys.argv[1:3]
settings = dict(word.split("=", 1) for word in sys.argv[3:])
extensions = settings.get("extensions", "SIZE 36700160,8BITMIME,PIPELINING,CHUNKING,ENHANCEDSTATUSCODES,SMTPUTF8")


class Session(socketserver.StreamRequestHandler):
    def say(self, text):
        self.wfile.write(text.encode() + b"\r\n")

    def handle(self):
        self.say(settings.get("greeting", "220 test ESMTP"))
        sender, recipients, parameters = None, [], ""
        while line := self.rfile.readline():
            assert line.endswith(b"\r\n"), line
            text = line.decode().rstrip("\r\n")
            verb = text.split(" ")[0].upper()
            if verb == "EHLO":
                lines = ["test"] + [word for word in extensions.split(",") if word]
                for index, word in enumerate(lines):
                    self.say(("250-" if index + 1 < len(lines) else "250 ") + word)
            elif verb == "MAIL":
                if settings.get("lose") == "mail":
                    return
                sender, parameters = re.fullmatch(r"MAIL FROM:<(.*)>(.*)", text).groups()
                self.say(settings.get("mail", "250 2.1.0 ok"))
            elif verb == "RCPT":
                address = re.fullmatch(r"RCPT TO:<(.*?)>(.*)", text).group(1)
                reply = settings.get(f"rcpt:{address}", "250 2.1.5 ok")
                if reply.startswith("2"):
                    recipients.append(address)
                self.say(reply)
            elif verb in ("BDAT", "DATA"):
                if verb == "BDAT":
                    content = self.rfile.read(int(text.split(" ")[1]))
                else:
                    self.say("354 go on")
                    content = b""
                    while (line := self.rfile.readline()) != b".\r\n":
                        content += line[1:] if line.startswith(b".") else line
                if settings.get("lose") == "content":
                    return
                reply = settings.get("content", "250 2.0.0 queued as 01ABCDEFGHJKMNPQRSTVWXYZ00")
                if reply.startswith("2"):
                    mail = {"sender": sender, "recipients": recipients, "parameters": parameters.strip(),
                            "content": content.decode("latin-1")}
                    with open(log, "a") as file:
                        file.write(json.dumps(mail) + "\n")
                if settings.get("lose") == "reply":
                    del settings["lose"]
                    return
                self.say(reply)
                recipients = []
            elif verb == "QUIT":
                self.say("221 2.0.0 bye")
                return
            else:
                self.say("250 2.0.0 ok")


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True

    def handle_error(self, request, address):
        # A client needn't wait for the reply to QUIT.
        if not isinstance(sys.exc_info()[1], BrokenPipeError):
            super().handle_error(request, address)


with Server(path, Session) as server:
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print("ready", flush=True)
    sys.stdin.read()
