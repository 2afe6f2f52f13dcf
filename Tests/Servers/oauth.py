#!/usr/bin/env python3
"""An authorization server for the tests, modelled on Google's and, on request, Microsoft's.

Prints its port and ends with its standard input. It checks every rule of the flows as strictly as the real servers:
byte-equal redirect_uri, S256, single-use codes, clients, signatures. `POST /control` with JSON changes its behavior
({"void": true} ends every access token at once), `GET /log` returns the requests it received. google-auth-oauthlib and
google-auth complete their flows against it (Tests/PabalAccountsTests), so it does not merely mirror Pabal.
"""
import base64, hashlib, hmac, html, json, secrets, subprocess, sys, threading, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote_plus, urlencode, urlsplit

CLIENT = "fake-client.apps.googleusercontent.com"
SECRET = "GOCSPX-fake-secret"
EMAIL = "https://www.googleapis.com/auth/userinfo.email"
MICROSOFT = "/oauth2/v2.0/"


class State:
    def __init__(self):
        self.lock = threading.Lock()
        self.options = {
            "consent": "redirect",  # or "page", "deny"
            "expires_in": 3599,
            "refresh_token_expires_in": None,  # counted from the login, as for a project in Testing
            "granted": None,  # the granted scopes, if they differ from the requested ones
            "rotate": False,
            "reuse_ends": False,  # with "rotate": an old refresh token that is used again ends the login
            "gate": False,  # while True, /token acts on requests but doesn't answer them
            "basic_only": False,  # clients must authenticate by Basic (RFC 6749, section 2.3.1)
            "scope_separator": " ",  # None leaves the scopes out of answers
            "error_status": None,  # the status of errors, if it isn't the real one
            "user": None,  # the user in the browser, if it isn't the one the login names
            "faults": [],  # responses of /token instead of the real ones, in order
            "faults_at": {},  # the same for other paths: {"/revoke": [...]}
            "dead": None,  # the error that every refresh gets
            "clients": {CLIENT: SECRET},  # a client whose secret is null has none
            "jwt_secret": None,  # base64: access tokens are JWTs (HS256) that Dovecot can check
            "clock": 0,  # how many seconds this server's clock is ahead of the machine's
            "service_accounts": {},  # e-mail -> path of the key file
            "delegated": {},  # e-mail -> {"subjects": [...], "scopes": [...]}
            "interval": 5,  # between the polls of a device login
            "device": "pending",  # then "approved", "declined", "expired", "slow_down" (once); a list: one for each code
        }
        self.codes, self.refresh_tokens, self.access_tokens, self.devices = {}, {}, {}, {}
        self.log = []


state = State()


class OAuthError(Exception):
    def __init__(self, error, description=None, status=400, **more):
        self.status = status
        self.body = {"error": error, **({"error_description": description} if description else {}), **more}


def now():
    return time.time() + state.options["clock"]


def base64url_decode(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def text(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def access_token(user, scopes, client):
    lifetime = state.options["expires_in"]
    secret = state.options["jwt_secret"]
    if secret:
        # Dovecot looks the key up by azp, and knows one issuer.
        claims = {"iss": "https://issuer.test", "sub": user, "email": user, "scope": " ".join(scopes),
                  "iat": int(now()), "exp": int(now()) + int(lifetime), "azp": "default",
                  "jti": secrets.token_hex(8)}
        head = text(json.dumps({"typ": "JWT", "alg": "HS256"}).encode()) + "." + text(json.dumps(claims).encode())
        token = head + "." + text(hmac.new(base64.b64decode(secret), head.encode(), hashlib.sha256).digest())
    else:
        token = "ya29.fake-" + secrets.token_urlsafe(24)
    state.access_tokens[token] = {"user": user, "scopes": scopes, "client": client, "until": now() + int(lifetime)}
    return token


def answer(user, scopes, client, refresh_token=None, ends=None):
    body = {"access_token": access_token(user, scopes, client), "expires_in": state.options["expires_in"],
            "token_type": "Bearer"}
    if state.options["scope_separator"] is not None:
        body["scope"] = state.options["scope_separator"].join(scopes)
    if refresh_token:
        body["refresh_token"] = refresh_token
    if ends is not None:
        body["refresh_token_expires_in"] = int(ends - now())
    if "openid" in scopes:
        claims = {"iss": "https://accounts.google.com", "aud": client, "sub": "1", "exp": int(now()) + 3600}
        if {"email", EMAIL} & set(scopes):
            claims.update(email=user, email_verified=True)
        body["id_token"] = text(b'{"alg":"none"}') + "." + text(json.dumps(claims).encode()) + ".x"
    return body


def new_refresh_token(user, scopes, client, ends=None):
    token = "1//fake-" + secrets.token_urlsafe(24)
    state.refresh_tokens[token] = {"user": user, "scopes": scopes, "client": client, "revoked": False, "ends": ends}
    return token


def end_of_login():
    lifetime = state.options["refresh_token_expires_in"]
    return None if lifetime is None else now() + lifetime


def check_client(form):
    client = form.get("client_id")
    if state.options["basic_only"] and not form.get("by_basic"):
        raise OAuthError("invalid_client", "Client authentication is required by HTTP Basic", 401)
    clients = state.options["clients"]
    if client not in clients:
        raise OAuthError("invalid_client", "The OAuth client was not found.", 401)
    if clients[client] is not None and form.get("client_secret") != clients[client]:
        raise OAuthError("invalid_client", "Unauthorized", 401)
    return client


def exchange(form):
    client = check_client(form)
    code = state.codes.pop(form.get("code"), None)
    if not code or code["client"] != client or code["until"] < now():
        raise OAuthError("invalid_grant", "Malformed auth code.")
    if form.get("redirect_uri") != code["redirect_uri"]:
        raise OAuthError("redirect_uri_mismatch", "Bad Request")
    if code["challenge"]:
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        if not 43 <= len(form.get("code_verifier", "")) <= 128 or text(digest) != code["challenge"]:
            raise OAuthError("invalid_grant", "Invalid code verifier.")
    elif form.get("code_verifier"):
        raise OAuthError("invalid_grant", "code_verifier without code_challenge.")
    # Without access_type=offline there is no refresh token.
    ends = end_of_login()
    token = new_refresh_token(code["user"], code["scopes"], client, ends) if code["offline"] else None
    return answer(code["user"], code["scopes"], client, token, ends)


def refresh(form):
    client = check_client(form)
    if state.options["dead"]:
        raise OAuthError(**state.options["dead"])
    known = state.refresh_tokens.get(form.get("refresh_token"))
    if not known:
        raise OAuthError("invalid_grant", "Bad Request")
    if known["client"] != client:
        raise OAuthError("unauthorized_client", "Unauthorized", 401)
    if known.get("replaced") and state.options["reuse_ends"]:
        for other in state.refresh_tokens.values():
            if other["user"] == known["user"] and other["client"] == client:
                other["revoked"] = True
        raise OAuthError("invalid_grant", "Refresh token was used before.")
    if known["revoked"] or known["ends"] is not None and known["ends"] <= now():
        raise OAuthError("invalid_grant", "Token has been expired or revoked.")
    scopes = form["scope"].split() if form.get("scope") else known["scopes"]
    if not set(scopes) <= set(known["scopes"]) | {"offline_access"}:
        if services(known["scopes"]):
            raise OAuthError("invalid_grant", "AADSTS65001: The user or administrator has not consented to use the "
                             f"application with ID '{client}' named 'Pabal'. Send an interactive authorization request "
                             "for this user and resource. Trace ID: 0 Correlation ID: 0")
        raise OAuthError("invalid_scope", "Bad Request")
    rotates = state.options["rotate"]
    token = new_refresh_token(known["user"], known["scopes"], client, known["ends"]) if rotates else None
    known["replaced"] = rotates
    return answer(known["user"], [s for s in scopes if s != "offline_access"], client, token, known["ends"])


def services(scopes):
    """Microsoft's services that scopes belong to; a token is valid for one of them."""
    return {scope.rpartition("/")[0] for scope in scopes
            if scope.startswith(("https://graph.microsoft.com/", "https://outlook.office"))}


def assertion(form, own_url):
    head, claims, signature = form.get("assertion", "..").split(".")
    header, claims_read = json.loads(base64url_decode(head)), json.loads(base64url_decode(claims))
    path = state.options["service_accounts"].get(claims_read.get("iss"))
    if not path:
        raise OAuthError("invalid_grant", "Invalid grant: account not found")
    key = json.load(open(path))
    if header != {"typ": "JWT", "alg": "RS256", "kid": key["private_key_id"]}:
        raise OAuthError("invalid_grant", "Invalid JWT Signature.")
    pem = subprocess.run(["openssl", "rsa", "-noout", "-modulus"], input=key["private_key"].encode(),
                         capture_output=True, check=True).stdout
    modulus = int(pem.decode().strip().split("=")[1], 16)
    size = (modulus.bit_length() + 7) // 8
    got = pow(int.from_bytes(base64url_decode(signature), "big"), 65537, modulus).to_bytes(size, "big")
    info = bytes.fromhex("3031300d060960864801650304020105000420") + hashlib.sha256(f"{head}.{claims}".encode()).digest()
    if got != b"\x00\x01" + b"\xff" * (size - len(info) - 3) + b"\x00" + info:
        raise OAuthError("invalid_grant", "Invalid JWT Signature.")
    times = claims_read.get("iat", 0), claims_read.get("exp", 0)
    if times[0] > now() + 60 or times[1] < now() or times[1] - times[0] > 3600:
        raise OAuthError("invalid_grant", "Invalid JWT: Token must be a short-lived token (60 minutes) and in a "
                      "reasonable timeframe. Check your iat and exp values in the JWT claim.")
    # Google's library uses Google's endpoint as the audience, whatever the key file says.
    if claims_read.get("aud") not in (own_url, "https://oauth2.googleapis.com/token"):
        raise OAuthError("invalid_grant", "Invalid JWT: Failed audience check.")
    delegated = state.options["delegated"].get(claims_read["iss"], {"subjects": [], "scopes": []})
    subject, scopes = claims_read.get("sub"), claims_read.get("scope", "").split()
    if subject and subject not in delegated["subjects"]:
        raise OAuthError("invalid_grant", "Invalid email or User ID")
    if subject and not set(scopes) <= set(delegated["scopes"]):
        raise OAuthError("unauthorized_client", "Client is unauthorized to retrieve access tokens using this method, "
                      "or client not authorized for any of the scopes requested.", 401)
    return answer(subject or claims_read["iss"], scopes, claims_read["iss"])


def device(form):
    client = check_client(form)
    known = state.devices.get(form.get("device_code"))
    if not known or known["client"] != client:
        raise OAuthError("bad_verification_code", "AADSTS70018: Invalid verification code.")
    mode = known["mode"] or state.options["device"]
    if mode == "slow_down":
        state.options["device"] = "pending"
        raise OAuthError("slow_down")
    if mode == "pending":
        known["asked"] += 1
        if known["asked"] > known["patience"]:
            mode = "approved"
        else:
            raise OAuthError("authorization_pending", "AADSTS70016: Pending end-user authorization.")
    if mode == "declined":
        raise OAuthError("authorization_declined", "AADSTS70020: declined")
    if mode == "expired":
        raise OAuthError("expired_token", "AADSTS70020: expired")
    scopes = [scope for scope in known["scopes"] if scope != "offline_access"]
    token = new_refresh_token("user@example.com", known["scopes"], client)
    return answer("user@example.com", scopes, client, token)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def date_time_string(self, timestamp=None):
        return super().date_time_string(timestamp or now())

    def reply(self, status, body, kind="application/json", **headers):
        data = body if isinstance(body, bytes) else (json.dumps(body) if kind == "application/json" else body).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(data)

    def form(self):
        data = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        if self.headers.get("Content-Type", "").startswith("application/json"):
            return json.loads(data)
        form = {name: values[0] for name, values in parse_qs(data, keep_blank_values=True).items()}
        # Google's library authenticates by Basic (RFC 6749, section 2.3.1).
        kind, _, value = self.headers.get("Authorization", "").partition(" ")
        if kind == "Basic":
            client, _, secret = base64.b64decode(value).decode().partition(":")
            form["by_basic"] = "" if "client_secret" in form else "yes"
            form["client_id"], form["client_secret"] = unquote_plus(client), unquote_plus(secret)
        return form

    def do_GET(self):
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if parts.path == "/log":
            with state.lock:
                return self.reply(200, state.log)
        with state.lock:
            state.log.append({"path": parts.path, "query": query})
            if parts.path.endswith(("/auth", "/authorize")):
                return self.authorize(query)
            if parts.path == "/tokeninfo":
                return self.tokeninfo(query)
        self.reply(404, {"error": "not_found"})

    def do_POST(self):
        path = urlsplit(self.path).path
        form = self.form()
        with state.lock:
            if path == "/control":
                if form.pop("void", False):
                    state.access_tokens.clear()
                state.options.update(form)
                return self.reply(200, {})
            state.log.append({"path": path, "form": form})
            if path.endswith("/revoke") and state.options["basic_only"]:
                try:
                    check_client(form)
                except OAuthError as refusal:
                    return self.reply(refusal.status, refusal.body)
            faults = state.options["faults"] if path.endswith("/token") else state.options["faults_at"].get(path)
            if faults:
                return self.fault(faults.pop(0))
            if path == "/tokeninfo":
                return self.tokeninfo(form)
            if path.endswith("/consent"):
                return self.consent(form)
            if path.endswith("/revoke"):
                return self.revoke(form)
            if path.endswith("/devicecode"):
                return self.devicecode(form)
            if not path.endswith("/token"):
                return self.reply(404, {"error": "not_found"})
            try:
                grants = {"authorization_code": exchange, "refresh_token": refresh,
                          "urn:ietf:params:oauth:grant-type:device_code": device,
                          "client_credentials": lambda form: answer(
                              "app", form.get("scope", "").split(), check_client(form))}
                kind = form.get("grant_type")
                if kind == "urn:ietf:params:oauth:grant-type:jwt-bearer":
                    body = assertion(form, f"http://127.0.0.1:{self.server.server_port}/token")
                elif kind in grants:
                    body = grants[kind](form)
                else:
                    raise OAuthError("unsupported_grant_type", f"Invalid grant_type: {kind}")
                self.wait_at_gate()
                self.reply(200, body, Cache_Control="no-store")
            except OAuthError as refusal:
                self.wait_at_gate()
                self.reply(state.options["error_status"] or refusal.status, refusal.body)

    def wait_at_gate(self):
        while state.options["gate"]:
            state.lock.release()
            time.sleep(0.02)
            state.lock.acquire()

    def fault(self, fault):
        """Sends a scripted response: {"status", "body", "kind", "headers"}; "drop": closes silently; "cut": sends half."""
        if fault.get("drop"):
            self.close_connection = True
            return
        if fault.get("cut"):
            self.close_connection = True
            self.wfile.write(b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 900\r\n\r\n'
                             b'{"access_token": "ya29.half')
            return
        kind = fault.get("kind", "application/json")
        self.reply(fault["status"], fault.get("body", ""), kind, **fault.get("headers", {}))

    def authorize(self, query):
        def wrong(error):
            self.reply(400, f"<!doctype html><h1>Error 400: {html.escape(error)}</h1>", "text/html")

        redirect = query.get("redirect_uri", "")
        if query.get("client_id") not in state.options["clients"]:
            return wrong("invalid_client")
        host = urlsplit(redirect).hostname
        if urlsplit(redirect).scheme != "http" or host not in ("127.0.0.1", "localhost", "::1"):
            return wrong("redirect_uri_mismatch")
        if query.get("response_type") != "code" or not query.get("scope"):
            return wrong("invalid_request")
        if query.get("code_challenge") and query.get("code_challenge_method") != "S256":
            return wrong("invalid_request")
        if len(services(query["scope"].split())) > 1:
            return self.back(redirect, {"error": "invalid_scope", "state": query.get("state", ""), "error_description":
                                        "AADSTS28000: Provided value for the input parameter scope is not valid because "
                                        "it contains more than one resource."})
        if state.options["consent"] == "deny":
            text = "AADSTS65004: User declined to consent to access the app. Trace ID: 0"
            more = {"error_description": text} if MICROSOFT in urlsplit(self.path).path else {}
            return self.back(redirect, {"error": "access_denied", "state": query.get("state", ""), **more})
        if state.options["consent"] == "page":
            boxes = "".join(f'<label><input type="checkbox" name="scope:{html.escape(scope)}" checked> '
                            f'{html.escape(scope)}</label><br>' for scope in query["scope"].split())
            hidden = "".join(f'<input type="hidden" name="{html.escape(name)}" value="{html.escape(value)}">'
                             for name, value in query.items())
            page = (f'<!doctype html><meta charset="utf-8"><title>Fake consent</title><h1>Fake wants to</h1>'
                    f'<form method="post" action="/consent">{boxes}{hidden}<button>Continue</button></form>'
                    f'<script>document.forms[0].submit()</script>')
            return self.reply(200, page, "text/html")
        self.allow(query, query["scope"].split())

    def consent(self, form):
        self.allow(form, [scope for scope in form["scope"].split() if f"scope:{scope}" in form])

    def allow(self, query, scopes):
        scopes = state.options["granted"] if state.options["granted"] is not None else scopes
        # Google returns the long name of a short scope.
        scopes = [EMAIL if scope == "email" else scope for scope in scopes]
        # With a slash, as Google's.
        code = "4/0A" + secrets.token_urlsafe(20)
        state.codes[code] = {
            "client": query["client_id"], "redirect_uri": query["redirect_uri"], "scopes": scopes,
            "challenge": query.get("code_challenge"), "until": now() + 600,
            "user": state.options["user"] or query.get("login_hint", "user@example.com"),
            "offline": query.get("access_type") == "offline" or "offline_access" in scopes}
        self.back(query["redirect_uri"], {"state": query.get("state", ""), "iss": "https://accounts.google.com",
                                          "code": code, "scope": " ".join(scopes)})

    def back(self, redirect, fields):
        self.reply(302, b"", "text/html", Location=redirect + ("&" if "?" in redirect else "?") + urlencode(fields))

    # The e-mail is included whatever the scopes, because the mail servers of the tests ask here for a token's owner.
    def tokeninfo(self, fields):
        known = state.access_tokens.get(fields.get("access_token"))
        if not known or known["until"] < now():
            return self.reply(400, {"error": "invalid_token", "error_description": "Invalid Value"})
        self.reply(200, {"azp": known["client"], "aud": known["client"], "scope": " ".join(known["scopes"]),
                         "exp": str(int(known["until"])), "expires_in": str(int(known["until"] - now())),
                         "access_type": "offline", "email": known["user"]})

    def revoke(self, form):
        token = form.get("token")
        client = None
        if token in state.refresh_tokens:
            client = state.refresh_tokens[token]["client"]
        elif token in state.access_tokens:
            client = state.access_tokens[token]["client"]
        if client is None or state.refresh_tokens.get(token, {}).get("revoked"):
            return self.reply(400, {"error": "invalid_token", "error_description": "Token expired or revoked"})
        for known in state.refresh_tokens.values():
            if known["client"] == client:
                known["revoked"] = True
        state.access_tokens = {text: known for text, known in state.access_tokens.items() if known["client"] != client}
        self.reply(200, {})

    def devicecode(self, form):
        if form.get("client_id") not in state.options["clients"]:
            return self.reply(400, {"error": "unauthorized_client",
                                    "error_description": "AADSTS700016: Application was not found in the directory"})
        code = secrets.token_urlsafe(30)
        mode = state.options["device"].pop(0) if isinstance(state.options["device"], list) else None
        state.devices[code] = {"client": form["client_id"], "scopes": form["scope"].split(), "asked": 0, "patience": 2,
                               "mode": mode}
        self.reply(200, {"device_code": code, "user_code": "ABCD-1234",
                         "verification_uri": f"http://127.0.0.1:{self.server.server_port}/device",
                         "expires_in": 900, "interval": state.options["interval"], "message": "To sign in, use a web browser …"})


class Server(ThreadingHTTPServer):
    request_queue_size = 256
    daemon_threads = True


server = Server(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(server.server_port, flush=True)
sys.stdin.read()
