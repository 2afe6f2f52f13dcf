#!/usr/bin/env python3
"""A mail server that misbehaves as its script says.

hostile.py CERTIFICATE KEY

One line of JSON in, one out. {"listen": SCRIPT} opens a port: {"port": N}. {"report": PORT} returns what the port
received, {"hangUp": PORT} closes its connections, {"say": PORT, "text": TEXT} writes TEXT to them, {"close": PORT}
closes the port.

SCRIPT: "security" tls|starttls|none, "offers" [EHLO lines], "offersBefore" [EHLO lines before STARTTLS],
"six" true for ::1, "ignoresInitial" true to ignore initial responses,
"any" true for every address of this machine, "oldTLS" true for TLS 1.0 only,
"logins" {"XOAUTH2": [user, token], "PLAIN": [user, password]} or absent (every login is accepted),
"receiveBuffer" bytes, "connections" [FAULTS], the last of which repeats.

FAULTS maps a place to an act: greeting, ehlo, starttls, auth, mail, rcpt (or rcpt0, rcpt1 …), data, bdat, bytes,
final, rset, quit. An act is {"reply": TEXT, "raw": BASE64, "split": true, "close": true, "reset": true,
"stall": true, "freeze": true, "after": BYTES (bytes only), "flood": TEXT, "extra": TEXT, "consume": true (bdat only),
"taken": true (final only), "skip": N, "delay": SECONDS}: "split" sends single bytes, "flood" repeats TEXT until the peer has closed,
"extra" follows the ordinary reply, "consume" reads the body before the reply, "taken" reports the mail as taken
whatever the reply, "skip" acts only from the Nth time on, "delay" waits before the reply. "initial" (auth only) acts only on an
initial response.
"""
import base64
import hashlib
import json
import select
import socket
import ssl
import struct
import sys
import threading
import time


class Gone(Exception):
    pass


class Session:
    def __init__(self, listener, connection, faults):
        self.listener = listener
        self.socket = connection
        self.faults = faults
        self.buffer = b""
        self.answered = False
        self.secure = False
        self.flights = 0
        self.seen = {}
        # OpenSSL doesn't allow two threads on one connection, and `say` writes from another.
        self.turn = threading.Lock()

    # --- reading and writing

    def more(self):
        try:
            if not (self.secure and self.socket.pending()):
                waiting = select.poll()
                waiting.register(self.socket.fileno(), select.POLLIN)
                waiting.poll()
            with self.turn:
                data = self.socket.recv(65536)
        except (OSError, ValueError):
            data = b""
        if not data:
            raise Gone()
        if self.answered:
            self.answered = False
            self.flights += 1
        self.buffer += data

    def line(self):
        while b"\n" not in self.buffer:
            if len(self.buffer) > 100_000:
                raise Gone()
            self.more()
        line, self.buffer = self.buffer.split(b"\n", 1)
        return line.rstrip(b"\r")

    def write(self, data, split=False):
        self.answered = True
        try:
            with self.turn:
                for part in ([bytes([byte]) for byte in data] if split else [data]):
                    self.socket.sendall(part)
        except OSError:
            raise Gone()

    def reset(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        # detach() avoids TLS's close_notify.
        socket.socket(fileno=self.socket.detach()).close()
        raise Gone()

    def stall(self):
        self.listener.report["stalled"] += 1
        while True:
            self.more()
            self.buffer = b""

    def freeze(self):
        """Neither reads nor writes until the peer has closed."""
        watch = select.poll()
        watch.register(self.socket.fileno(), select.POLLHUP | select.POLLRDHUP | select.POLLERR)
        watch.poll(60_000)
        raise Gone()

    def act(self, place, reply):
        """Does the act for `place`, or sends the ordinary reply; returns False if the reply wasn't the ordinary one."""
        act = self.act_for(place)
        if act is None:
            if reply:
                self.write(reply.encode() + b"\r\n")
            return True
        return self.perform(act, reply)

    def perform(self, act, reply):
        if "delay" in act:
            time.sleep(act["delay"])
        if "flood" in act:
            while True:
                self.write(act["flood"].encode())
        if act.get("stall"):
            self.stall()
        if act.get("freeze"):
            self.freeze()
        answer = None
        if "raw" in act:
            answer = base64.b64decode(act["raw"])
        elif "reply" in act:
            answer = act["reply"].encode() + b"\r\n"
        elif reply and not (act.get("close") or act.get("reset")):
            answer = reply.encode() + b"\r\n"
        if "extra" in act:
            answer = (answer or b"") + act["extra"].encode() + b"\r\n"
        if answer:
            self.write(answer, act.get("split", False))
        if act.get("reset"):
            self.reset()
        if act.get("close"):
            raise Gone()
        return "reply" not in act and "raw" not in act

    def act_for(self, place):
        """The act for `place` this time, if any; counts the times."""
        count = self.seen.get(place, 0)
        self.seen[place] = count + 1
        act = self.faults.get(place)
        return act if act is not None and count >= act.get("skip", 0) else None

    # --- SMTP

    def secured(self):
        self.socket = self.listener.context.wrap_socket(self.socket, server_side=True)
        self.secure = True
        self.listener.report["handshakes"] += 1

    def run(self):
        script = self.listener.script
        if script.get("security", "tls") == "tls":
            self.secured()
        self.act("greeting", "220 hostile.test ESMTP")
        sender, recipients, params = None, [], ""
        while True:
            line = self.line()
            text = line.decode("utf-8", "surrogateescape")
            verb = text.split(" ")[0].upper()
            self.listener.report["commands"].append(text[:2000].encode("utf-8", "replace").decode())
            if verb in ("EHLO", "HELO"):
                offers = script.get("offers", [])
                if not self.secure and script.get("security") == "starttls":
                    offers = script.get("offersBefore", ["STARTTLS"])
                lines = ["hostile.test"] + (offers if verb == "EHLO" else [])
                reply = "\r\n".join(f"250{'-' if i + 1 < len(lines) else ' '}{l}" for i, l in enumerate(lines))
                self.act("ehlo" if verb == "EHLO" else "helo", reply)
            elif verb == "STARTTLS":
                if self.act("starttls", "220 go ahead"):
                    self.buffer = b""
                    self.secured()
            elif verb == "AUTH":
                self.auth(text)
            elif verb == "MAIL":
                sender = None
                if self.act("mail", "250 2.1.0 sender ok"):
                    sender, recipients, params = text[10:].split(">")[0][1:], [], text.split(">", 1)[-1].strip()
            elif verb == "RCPT":
                place = f"rcpt{self.seen.get('rcpts', 0)}"
                self.seen["rcpts"] = self.seen.get("rcpts", 0) + 1
                if place not in self.faults:
                    place = "rcpt"
                if sender is None:
                    self.write(b"503 5.5.1 MAIL first\r\n")
                elif self.act(place, "250 2.1.5 recipient ok"):
                    recipients.append(text[8:].split(">")[0][1:])
            elif verb == "RSET":
                sender, recipients = None, []
                self.seen["rcpts"] = 0
                self.act("rset", "250 2.0.0 reset")
            elif verb == "DATA":
                if not recipients:
                    self.write(b"503 5.5.1 RCPT first\r\n")
                elif self.act("data", "354 go ahead"):
                    content = self.dotted()
                    self.final(sender, recipients, params, content)
                    sender, recipients = None, []
                    self.seen["rcpts"] = 0
            elif verb == "BDAT":
                size = int(text.split(" ")[1])
                act = self.act_for("bdat")
                if act is not None and "reply" in act and not act.get("consume"):
                    self.perform(act, None)
                    continue
                content = self.chunk(size)
                if act is not None:
                    self.perform(act, None)
                elif not recipients:
                    self.write(b"503 5.5.1 no recipients\r\n")
                else:
                    self.final(sender, recipients, params, content)
                sender, recipients = None, []
                self.seen["rcpts"] = 0
            elif verb == "QUIT":
                self.listener.report["quits"] += 1
                self.act("quit", "221 2.0.0 bye")
                raise Gone()
            elif verb == "NOOP":
                self.write(b"250 2.0.0 ok\r\n")
            else:
                self.listener.report["strange"].append(text[:200].encode("utf-8", "replace").decode())
                self.write(b"500 5.5.2 what?\r\n")

    def auth(self, text):
        words = text.split(" ")
        mechanism = words[1].upper()
        if self.listener.script.get("ignoresInitial"):
            words = words[:2]
        act = self.faults.get("auth")
        # With "initial", only an initial response is refused.
        if act is not None and self.seen.get("auth", 0) >= act.get("skip", 0) and (
            len(words) > 2 or not act.get("initial")
        ):
            self.act("auth", None)
            return
        self.seen["auth"] = self.seen.get("auth", 0) + 1
        if mechanism == "LOGIN":
            if len(words) > 2:
                user = words[2]
            else:
                self.write(b"334 VXNlcm5hbWU6\r\n")
                user = self.line().decode()
            self.write(b"334 UGFzc3dvcmQ6\r\n")
            given = [base64.b64decode(user).decode(), base64.b64decode(self.line()).decode()]
            self.listener.report["initial"].append(False)
        else:
            self.listener.report["initial"].append(len(words) > 2)
            if len(words) > 2:
                response = words[2]
            else:
                self.write(b"334 \r\n")
                response = self.line().decode()
            plain = base64.b64decode(response).decode()
            if mechanism == "PLAIN":
                given = plain.split("\0")[1:]
            elif mechanism == "XOAUTH2":
                parts = plain.split("\1")
                given = [parts[0][5:], parts[1][12:]]
                assert parts[2:] == ["", ""], parts
            else:
                parts = plain.split("\1")
                given = [parts[0][4:-1].replace("=2C", ",").replace("=3D", "="), parts[-3][12:]]
        self.listener.report["attempts"].append([mechanism, given[0], hashlib.sha256(given[1].encode()).hexdigest()])
        wanted = self.listener.script.get("logins")
        if wanted is None or given == wanted.get(mechanism):
            self.listener.report["logins"] += 1
            self.write(b"235 2.7.0 welcome\r\n")
        elif mechanism in ("XOAUTH2", "OAUTHBEARER"):
            self.write(b"334 " + base64.b64encode(b'{"status":"401","schemes":"bearer","scope":"mail"}') + b"\r\n")
            self.line()
            self.write(b"535 5.7.8 refused\r\n")
        else:
            self.write(b"535 5.7.8 refused\r\n")

    def fault_at(self, received):
        act = self.faults.get("bytes")
        if act is not None and received >= act["after"] and self.seen.get("bytes", 0) >= act.get("skip", 0):
            return act
        return None

    def chunk(self, size):
        parts = []
        received = 0
        while True:
            act = self.fault_at(received + min(len(self.buffer), size - received))
            take = size - received
            if act is not None:
                take = min(take, act["after"] - received)
            part, self.buffer = self.buffer[:take], self.buffer[take:]
            parts.append(part)
            received += len(part)
            if act is not None:
                self.perform(act, None)
                raise Gone()
            if received == size:
                return b"".join(parts)
            self.more()

    def dotted(self):
        received = bytearray()
        while True:
            known = max(0, len(received) - 4)
            received += self.buffer
            self.buffer = b""
            act = self.fault_at(len(received))
            if act is not None:
                self.perform(act, None)
                raise Gone()
            if received.startswith(b".\r\n"):
                end, skip = 0, 3
            else:
                end = received.find(b"\r\n.\r\n", known)
                skip = 5
                if end >= 0:
                    end, skip = end + 2, 3
            if end >= 0:
                self.buffer = bytes(received[end + skip:])
                content = bytes(received[:end])
                if content.startswith(b"."):
                    content = content[1:]
                return content.replace(b"\r\n..", b"\r\n.")
            self.more()

    def final(self, sender, recipients, params, content):
        report = self.listener.report
        mail = {
            "sender": sender, "recipients": recipients, "params": params, "size": len(content),
            "sha256": hashlib.sha256(content).hexdigest(), "flights": self.flights,
        }
        if len(content) < 20_000:
            mail["bytes"] = base64.b64encode(content).decode()
        report["whole"].append(mail)
        # Decided before the reply, because the peer may ask for the report as soon as it has seen the reply, or
        # while this end has not yet noticed that the peer closed a stalled connection.
        if self.takes("final"):
            report["taken"].append(mail)
        try:
            self.act("final", f"250 2.0.0 Ok: queued as H{len(report['taken'])}")
        except Gone:
            if mail in report["taken"] and not self.faults.get("final", {}).get("taken"):
                report["taken"].remove(mail)
            raise

    def takes(self, place):
        """Whether the act for `place` takes the mail over: it is an ordinary reply, or says so itself."""
        act = self.faults.get(place)
        if act is None or act.get("taken") or self.seen.get(place, 0) < act.get("skip", 0):
            return True
        return not any(act.get(key) for key in ("reply", "raw", "flood", "stall", "freeze", "close", "reset"))


class Listener:
    def __init__(self, script, certificate, key):
        self.script = script
        self.report = {
            "connections": 0, "handshakes": 0, "logins": 0, "quits": 0, "stalled": 0, "commands": [], "strange": [],
            "attempts": [], "initial": [], "whole": [], "taken": [],
        }
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(script.get("certificate", certificate), key)
        is_six = script.get("six") or script.get("any")
        self.socket = socket.socket(socket.AF_INET6 if is_six else socket.AF_INET)
        if script.get("oldTLS"):
            self.context.minimum_version = self.context.maximum_version = ssl.TLSVersion.TLSv1
            self.context.set_ciphers("ALL:@SECLEVEL=0")
        if script.get("any"):
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        if "receiveBuffer" in script:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, script["receiveBuffer"])
        self.socket.bind(("::" if script.get("any") else "::1" if is_six else "127.0.0.1", 0))
        self.socket.listen(64)
        self.port = self.socket.getsockname()[1]
        self.open = []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            number = self.report["connections"]
            self.report["connections"] += 1
            connections = self.script.get("connections") or [{}]
            faults = connections[min(number, len(connections) - 1)]
            threading.Thread(target=self.serve, args=(connection, faults), daemon=True).start()

    def serve(self, connection, faults):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        session = Session(self, connection, faults)
        self.open.append(session)
        try:
            session.run()
        except (Gone, OSError):
            pass
        except Exception as error:  # an error of this server must not look like one of the client
            self.report["strange"].append(f"server: {error!r}")
        try:
            session.socket.close()
        except OSError:
            pass


def main():
    certificate, key = sys.argv[1:3]
    listeners = {}
    for line in sys.stdin:
        request = json.loads(line)
        if "listen" in request:
            listener = Listener(request["listen"], certificate, key)
            listeners[listener.port] = listener
            answer = {"port": listener.port}
        elif "report" in request:
            answer = listeners[request["report"]].report
        elif "hangUp" in request:
            for session in listeners[request["hangUp"]].open:
                try:
                    session.socket.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
            answer = {}
        elif "say" in request:
            for session in listeners[request["say"]].open:
                try:
                    session.write(request["text"].encode())
                except Gone:
                    pass  # already closed
            answer = {}
        else:
            listener = listeners.pop(request["close"])
            listener.socket.close()
            answer = listener.report
        print(json.dumps(answer), flush=True)


main()
