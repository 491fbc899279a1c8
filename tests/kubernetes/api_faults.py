"""A proxy that ends TLS and understands HTTP/1.1, between the program under test and an API server, with scripted
answers. Everything is forwarded as it is, except what a fault takes:

  with ApiFaults(upstream, authority) as proxy:
      proxy.add(Fault(status(429, retry_after=1), resource="pods", verb="watch", times=2))

verb is list, watch, get, create, update, patch or delete, as RBAC names them. An answer is a function of the request's
handler: status(), error_event(), garbage(), truncated_watch() and others below make them. `log` holds what was asked:
[seconds, verb, resource, query, status], the status None while it is under way.
"""
import contextlib
import http.client
import http.server
import json
import socket
import ssl
import threading
import time
import urllib.parse

VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


class Fault:
    def __init__(self, answer, resource=None, verb=None, times=1, where=None):
        """times None: until removed. where: a further condition on the query's parameters, as a function."""
        self.answer, self.resource, self.verb, self.left, self.where = answer, resource, verb, times, where
        self.hits = 0

    def takes(self, verb, resource, query):
        return (self.left is None or self.left > 0) and self.resource in (None, resource) and \
            self.verb in (None, verb) and (self.where is None or self.where(query))


def parse(method, target):
    """(verb, resource, namespace, query) of a request to the API."""
    url = urllib.parse.urlsplit(target)
    query = dict(urllib.parse.parse_qsl(url.query, keep_blank_values=True))
    parts = [p for p in url.path.split("/") if p]
    parts = parts[2:] if parts[:1] == ["api"] else parts[3:] if parts[:1] == ["apis"] else parts
    namespace = None
    if len(parts) > 2 and parts[0] == "namespaces":
        namespace, parts = parts[1], parts[2:]
    resource = parts[0] if parts else ""
    if len(parts) > 2:
        resource += "/" + parts[2]
    if method in VERBS:
        return VERBS[method], resource, namespace, query
    verb = "get" if len(parts) > 1 else "watch" if query.get("watch") in ("true", "1") else "list"
    return verb, resource, namespace, query


# --- answers -----------------------------------------------------------------------------------------------------

def status_object(code, reason, message):
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message,
            "reason": reason, "code": code}


def send(handler, code, body, headers=()):
    handler.send_response(code)
    for name, value in (("Content-Type", "application/json"), ("Content-Length", str(len(body))), *headers):
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body)


def status(code, reason="Injected", retry_after=None):
    headers = (("Retry-After", str(retry_after)),) if retry_after is not None else ()

    def answer(handler):
        send(handler, code, json.dumps(status_object(code, reason, f"injected {code}")).encode(), headers)
        return code
    return answer


def begin_stream(handler):
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()


def chunk(handler, data):
    handler.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
    handler.wfile.flush()


def stream(*pieces, end=True):
    """A 200 whose chunked body is the pieces; end False: the connection breaks before the last chunk."""
    def answer(handler):
        begin_stream(handler)
        for piece in pieces:
            chunk(handler, piece)
        if end:
            handler.wfile.write(b"0\r\n\r\n")
        else:
            handler.close_connection = True
        return 200
    return answer


def error_event(code=410, reason="Expired"):
    event = {"type": "ERROR", "object": status_object(code, reason, "too old resource version: 1 (2)")}
    return stream(json.dumps(event).encode() + b"\n")


def garbage():
    return stream(b'{"type":"ADDED","object":{"kind":"Pod","metadata":{"na\x00\xff}}}}\n', b"\x00\x01\x02 not JSON\n")


def truncated_chunk():
    """A chunk that announces more than it brings, then the end of the connection."""
    def answer(handler):
        begin_stream(handler)
        handler.wfile.write(b'400\r\n{"type":"ADDED","object":{"kind":"Po')
        handler.wfile.flush()
        handler.close_connection = True
        return 200
    return answer


def huge(megabytes, item=b" " * 65536):
    """A body without an end in sight, until the other side hangs up."""
    def answer(handler):
        begin_stream(handler)
        chunk(handler, b'{"kind":"List","items":[')
        with contextlib.suppress(OSError):
            for _ in range(megabytes * 16):
                chunk(handler, item)
        handler.close_connection = True
        return 200
    return answer


def silence(seconds):
    """Headers of a watch, then nothing for a while."""
    def answer(handler):
        begin_stream(handler)
        handler.wfile.flush()
        handler.proxy.stop.wait(seconds)
        handler.close_connection = True
        return 200
    return answer


# --- the proxy ---------------------------------------------------------------------------------------------------

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    proxy = None

    def log_message(self, *_):
        pass

    def handle_any(self):
        verb, resource, _, query = parse(self.command, self.path)
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if length else None
        fault = self.proxy.fault_for(verb, resource, query)
        entry = self.proxy.note(verb, resource, query)
        try:
            code = fault.answer(self) if fault else self.forward(body, verb == "watch")
        except (OSError, http.client.HTTPException):
            code, self.close_connection = 0, True
        entry[4] = code

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any

    def forward(self, body, streaming):
        link = self.proxy.connect(streaming)
        try:
            headers = {k: v for k, v in self.headers.items()
                       if k.lower() not in ("host", "connection", "content-length", "accept-encoding")}
            link.request(self.command, self.proxy.prefix + self.path, body, headers)
            answer = link.getresponse()
            if streaming and answer.status == 200:
                self.forward_stream(answer)
            else:
                data = answer.read()
                extra = [(k, v) for k, v in answer.getheaders() if k.lower() in ("retry-after", "warning")]
                send(self, answer.status, data, extra)
            return answer.status
        finally:
            self.proxy.disconnect(link)

    def forward_stream(self, answer):
        begin_stream(self)
        while data := answer.read1(65536):
            chunk(self, data)
        self.wfile.write(b"0\r\n\r\n")


class ApiFaults:
    def __init__(self, upstream, authority):
        """upstream: an ApiClient, for its address and trust; each request keeps its own credentials."""
        self.upstream, self.prefix = upstream, upstream.prefix
        self.authority = authority
        cert, key = authority.issue("fault-proxy", "/CN=fault-proxy")
        handler = type("BoundHandler", (Handler,), {"proxy": self})
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)
        context.set_alpn_protocols(["http/1.1"])
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.port = self.server.server_address[1]
        self.lock = threading.Lock()
        self.faults, self.log, self.links = [], [], set()
        self.stop = threading.Event()
        self.begin = time.monotonic()
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.server.shutdown()
        self.server.server_close()
        self.cut()

    @property
    def url(self):
        return f"https://127.0.0.1:{self.port}"

    def connect(self, streaming):
        raw = socket.create_connection((self.upstream.host, self.upstream.port), 10)
        raw.settimeout(None if streaming else 60)
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # the trust is the test's own
        link = http.client.HTTPSConnection(self.upstream.host, self.upstream.port, context=context)
        link.sock = context.wrap_socket(raw, server_hostname=self.upstream.name)
        with self.lock:
            self.links.add(link)
        return link

    def disconnect(self, link):
        with self.lock:
            self.links.discard(link)
        link.close()

    def cut(self):
        """Ends every request that is under way, as a server does that is going down."""
        with self.lock:
            links = list(self.links)
        for link in links:
            with contextlib.suppress(OSError, AttributeError):
                link.sock.shutdown(socket.SHUT_RDWR)

    def add(self, fault):
        with self.lock:
            self.faults.append(fault)
        return fault

    def clear(self):
        with self.lock:
            self.faults.clear()

    def fault_for(self, verb, resource, query):
        with self.lock:
            for fault in self.faults:
                if fault.takes(verb, resource, query):
                    fault.hits += 1
                    if fault.left is not None:
                        fault.left -= 1
                    return fault
        return None

    def note(self, verb, resource, query):
        entry = [self.now(), verb, resource, query, None]
        with self.lock:
            self.log.append(entry)
        return entry

    def asked(self, verb=None, resource=None, since=0.0):
        with self.lock:
            return [entry for entry in self.log if entry[0] >= since and verb in (None, entry[1])
                    and resource in (None, entry[2])]

    def now(self):
        return time.monotonic() - self.begin
