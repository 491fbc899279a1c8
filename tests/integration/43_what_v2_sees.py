#!/usr/bin/python3
"""MirrorPolicy: what the mirror sees of a request, and of the client. v1 always gets the client's own bytes."""
import hashlib
import json
import re
import signal

from agent import dropped_requests
from case import case, check, check_equal, main, need_command, note
from lab import PYTHON, HERE, Lab, wait_for
from peers import Recorder
from policy_scene import PORT, Scene, all_text, changed, fields, heads, raw

CANARY = "c4n4ry-secret-7f3a"


@case("the instruments: TLS with the server's name, PROXY headers and bytes are recorded as sent; no agent")
def instruments():
    with Lab() as lab:
        ca, certificate, key = make_certificates(lab, "v2.test")
        tls_v2 = Recorder(lab, "v2", args=["--keep", "--tls", certificate, key])
        place = ["--resolve", f"v2.test:{PORT}:{lab.addr('v2')}", f"https://v2.test:{PORT}/tls"]
        lab.exec("client", ["curl", "-sS", "--cacert", ca, *place])
        wrong = lab.exec("client", ["curl", "-sS", *place], check=False)
        check_equal(wrong.returncode, 60, "curl's exit code without the CA")
        check_equal([(c["sni"], c["text"][:13]) for c in raw(tls_v2)][:1], [("v2.test", "GET /tls HTTP")], "over TLS")
        v1 = Recorder(lab, "v1", args=["--keep"])
        for version in ("4", "6"):
            send = f"""import socket, sys
family = socket.AF_INET if {version} == 4 else socket.AF_INET6
ends = [socket.inet_pton(family, a) for a in (sys.argv[2], sys.argv[3])]
block = ends[0] + ends[1] + (5).to_bytes(2, "big") + (6).to_bytes(2, "big")
kind = bytes([0x21, 0x11 if {version} == 4 else 0x21])
head = b"\\r\\n\\r\\n\\0\\r\\nQUIT\\n" + kind + len(block).to_bytes(2, "big")
with socket.create_connection((sys.argv[1], {PORT})) as sock:
    sock.sendall(head + block + b"GET /proxied HTTP/1.1\\r\\n\\r\\n")
    sock.recv(1000)"""
            ends = ["192.0.2.1", "192.0.2.2"] if version == "4" else ["2001:db8::1", "2001:db8::2"]
            lab.exec("client", [PYTHON, "-c", send, lab.addr("v1"), *ends])
            check_equal(raw(v1)[-1]["proxy"], [ends[0], 5, ends[1], 6], f"PROXY header over IPv{version}")
        check_equal([e[1] for e in v1.requests()], ["GET /proxied HTTP/1.1"] * 2, "requests behind PROXY headers")


def plain_space(head):
    """The lines of a head without the white space around values, which an edit may leave out."""
    return [head[0]] + [f"{name}: {value.strip()}" for name, _, value in (line.partition(":") for line in head[1:])]


@case("Host: kept, -shadow before the port, a literal; all other fields are the client's, in name, value and order")
def host():
    with_port, plain = "shop.test:81", "shop.test"
    for policy, wanted in (({"policy": "keep"}, {with_port: with_port, plain: plain}),
                           ({"policy": "shadow"}, {with_port: "shop.test-shadow:81", plain: "shop.test-shadow"}),
                           ({"policy": "literal", "value": "v2.test"}, {with_port: "v2.test", plain: "v2.test"})):
        with Lab() as lab:
            scene = Scene(lab, {"host": policy})
            with scene.agent:
                for name in wanted:
                    scene.ask("-H", f"Host: {name}", "-H", "X-Odd:  two spaces ")
                scene.wait(2)
                scene.row()
            at_v1, at_v2 = heads(scene.v1), heads(scene.v2)
            check_equal(len(at_v2), 2, f"requests at v2 with {policy}")
            for (name, value), first, second in zip(wanted.items(), at_v1, at_v2):
                check_equal(fields(first)["host"], [name], "Host at v1")
                gone, new = changed(plain_space(first), plain_space(second))
                wanted_lines = ([], []) if name == value else ([f"Host: {name}"], [value])
                new = [line.partition(":")[2].strip() for line in new]
                check_equal((gone, new), wanted_lines, f"{policy}: lines that differ")


EDITS = {"headers": {"set": {"X-Env": "shadow", "User-Agent": "umbra"}, "add": {"X-Tag": "added"},
                     "remove": ["X-Gone"]},
         "requestId": {"header": "X-Request-Id"}, "marker": {"header": "X-Shadow", "value": "1"}}


@case("headers set, added, removed, a request id, a marker; bodies behind edited heads are the client's")
def edits():
    with Lab() as lab:
        scene = Scene(lab, EDITS)
        body = lab.dir / "body"
        body.write_bytes(b"\r\n\r\nX-Gone: in the body\r\n" * 5000)
        with scene.agent:
            scene.ask("-H", "X-Gone: 1", "-H", "x-gone: 2", "-H", "X-Tag: own", "-H", "X-Env: live")
            scene.ask("-H", "X-Request-Id: mine-1")
            scene.ask("--data-binary", f"@{body}", path="/post")
            scene.ask("-H", "Transfer-Encoding: chunked", "--data-binary", f"@{body}", path="/chunked")
            scene.wait(4)
            row = scene.row()
        check_equal((row["mirrored"]["requests"], dropped_requests(row)), (4, {}), "mirrored and dropped requests")
        first, second = (fields(head) for head in heads(scene.v2)[:2])
        for name, values in (("x-env", ["shadow"]), ("user-agent", ["umbra"]), ("x-tag", ["own", "added"]),
                             ("x-shadow", ["1"])):
            check_equal(first.get(name), values, f"{name} at v2")
        check("x-gone" not in first, f"a removed header is at v2: {first}")
        check_equal(second["x-request-id"], ["mine-1"], "the client's own request id")
        made = [fields(text["text"].split("\r\n\r\n")[0].split("\r\n"))["x-request-id"] for text in raw(scene.v2)]
        check_equal((len(made), len({m[0] for m in made})), (4, 4), f"request ids: {made}")
        for number in (2, 3):
            wanted, got = (c[number]["text"].partition("\r\n\r\n")[2].encode("latin-1")
                           for c in (raw(scene.v1), raw(scene.v2)))
            check_equal(hashlib.sha256(got).hexdigest(), hashlib.sha256(wanted).hexdigest(), "the body at v2")
        check("umbra" not in all_text(scene.v1) and "x-gone: 2" in all_text(scene.v1), "v1's bytes were changed")


def redaction(action):
    how = {"action": action, **({"replacement": "none"} if action == "replace" else {})}
    return {"redact": {"credentials": action, "headers": [{"name": "X-Api-Key", **how}],
                       "query": [{"name": "token", **how}]}}


def secret_requests(scene):
    for value in (CANARY, CANARY, CANARY + "-other"):
        scene.ask("-H", f"Authorization: Bearer {value}", "-b", f"session={value}; theme=dark", "-H",
                  f"x-api-key: {value}", "-H", "X-Open: visible", path=f"/find?a=1&token={value}&b=2")
    scene.ask("-H", f"AUTHORIZATION: Basic {CANARY}", "-H", "X-Open: visible", path=f"/find?token={CANARY}")


@case("redaction: dropped, hashed or replaced, a secret appears nowhere: not at v2, in the log, status or ledger")
def redacted():
    need_command("curl")
    for action in ("drop", "hash", "replace"):
        with Lab() as lab:
            scene = Scene(lab, redaction(action), agent_args=("--log-level", "debug"))
            with scene.agent as agent:
                secret_requests(scene)
                scene.wait(4)
                row = scene.row()
                told = {verb: json.dumps(agent.json(*verb.split())) for verb in ("status", "ledger", "get rules")}
                told |= {"log": agent.log(), "v2": all_text(scene.v2)}
            told["log at the end"] = scene.agent.log()
            leaks = [where for where, text in told.items() if CANARY in text]
            check_equal(leaks, [], f"{action}: places with the secret")
            check(CANARY in all_text(scene.v1), "v1 did not get the secret")
            check_equal(row["mirrored"]["requests"], 4, f"{action}: mirrored requests")
            at_v2 = heads(scene.v2)
            check_equal([fields(head).get("x-open") for head in at_v2], [["visible"]] * 4, f"{action}: other headers")
            check("a=1" in at_v2[0][0] and "b=2" in at_v2[0][0], f"{action}: the other parameters: {at_v2[0][0]}")
            check_redacted(action, [(head[0], fields(head)) for head in at_v2])


def check_redacted(action, requests):
    names = ("authorization", "cookie", "x-api-key")
    values = [[line, *[given.get(name, [""])[0] for name in names]] for line, given in requests]
    if action == "drop":
        check_equal([v[1:] for v in values], [["", "", ""]] * 4, "dropped headers")
        check("token=" not in values[0][0], f"the parameter is still there: {values[0][0]}")
    elif action == "replace":
        check_equal(values[0][3], "none", "the replacement of a header")
        check("token=none" in values[0][0], f"the replacement of a parameter: {values[0][0]}")
    else:
        for place in range(4):
            found = [re.search(r"sha256(?::|%3[Aa])[0-9a-f]{16}", v[place]) for v in values[:3]]
            check(all(found), f"no hash in {[v[place] for v in values[:3]]}")
            hashes = [f.group() for f in found]
            check(hashes[0] == hashes[1] != hashes[2], f"hashes of two equal values and another one: {hashes}")


@case("the client's address: hidden, X-Forwarded-For, PROXY protocol v2")
def client_address():
    for mode in ("hidden", "forwardedFor", "proxyV2"):
        with Lab() as lab:
            scene = Scene(lab, {"clientAddress": mode})
            with scene.agent:
                scene.ask("--local-port", "45001")
                scene.ask("-H", "X-Forwarded-For: 192.0.2.7", "--local-port", "45002")
                scene.wait(2)
                row = scene.row()
            client = lab.addr("client")
            check_equal((row["mirrored"]["requests"], dropped_requests(row)), (2, {}), f"{mode}: mirrored and dropped")
            at_v2 = raw(scene.v2)
            texts = [c["text"][c["text"].index("GET "):].split("\r\n\r\n")[0] for c in at_v2]
            forwarded = [fields(text.split("\r\n")).get("x-forwarded-for") for text in texts]
            if mode == "forwardedFor":
                joined = [", ".join(values or []) for values in forwarded]
                check_equal(joined, [client, f"192.0.2.7, {client}"], "X-Forwarded-For at v2")
            else:
                check_equal(forwarded, [None, ["192.0.2.7"]], f"{mode}: X-Forwarded-For at v2")
            wanted = [[client, port, lab.addr("v1"), PORT] if mode == "proxyV2" else None for port in (45001, 45002)]
            check_equal([c["proxy"] for c in at_v2], wanted, f"{mode}: PROXY headers at v2")


@case("safe methods only: GET, HEAD, OPTIONS arrive in order, the writes between them are counted as unsafe_method")
def safe_methods():
    with Lab() as lab:
        scene = Scene(lab, {"safeMethodsOnly": True})
        with scene.agent:
            scene.curl(path="/[1-5]")
            scene.curl("-I", path="/head")
            for method in ("POST", "PUT", "PATCH", "DELETE", "PURGE"):
                scene.curl("-X", method, "-d", f"write by {method}", path="/write")
            scene.curl("-X", "OPTIONS", path="/options")
            url = f"http://{lab.addr('v1')}:{PORT}"
            lab.exec("client", ["curl", "-sS", f"{url}/before", "--next", "-sS", "-d", "x=y", f"{url}/between",
                                "--next", "-sS", f"{url}/behind"])
            scene.wait(9)
            row = scene.row()
        names = [head[0].split(" ")[:2] for head in heads(scene.v2)]
        wanted = [["GET", f"/{i}"] for i in range(1, 6)] + [["HEAD", "/head"], ["OPTIONS", "/options"],
                                                            ["GET", "/before"], ["GET", "/behind"]]
        check_equal(sorted(names), sorted(wanted), "requests at v2")
        check("write" not in all_text(scene.v2), "a body of a write is at v2")
        check_equal(dropped_requests(row), {"unsafe_method": 6}, "dropped requests")


def make_certificates(lab, name):
    """A CA and a certificate for a host name: paths (ca, certificate, key)."""
    need_command("openssl")
    folder = lab.dir / f"ca-{name}"
    folder.mkdir()
    (folder / "san").write_text(f"subjectAltName=DNS:{name}\nbasicConstraints=CA:FALSE\n")
    def openssl(*args):
        lab.exec("node", ["openssl", *args])
    new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    openssl("req", "-x509", *new_key, "-days", "2", "-subj", f"/CN=lab {name}", "-keyout", folder / "ca.key",
            "-out", folder / "ca.pem")
    openssl("req", *new_key, "-subj", f"/CN={name}", "-keyout", folder / "key.pem", "-out", folder / "csr.pem")
    openssl("x509", "-req", "-in", folder / "csr.pem", "-CA", folder / "ca.pem", "-CAkey", folder / "ca.key",
            "-CAcreateserial", "-days", "2", "-extfile", folder / "san", "-out", folder / "cert.pem")
    for file in folder.iterdir():
        file.chmod(0o644)
    return folder / "ca.pem", folder / "cert.pem", folder / "key.pem"


def tls_scene(lab, tls):
    ca, certificate, key = make_certificates(lab, "v2.test")
    other, _, _ = make_certificates(lab, "other.test")
    files = {"right": ca, "wrong": other}
    tls = {**tls, **({"caFile": str(files[tls["caFile"]])} if "caFile" in tls else {})}
    return Scene(lab, {"tls": tls}, v2_args=["--tls", certificate, key],
                 agent_args=("--limit", "response_timeout=3s"))


@case("TLS to v2, verified by its CA: the same requests, with the server's name in the handshake")
def tls():
    for options in ({"serverName": "v2.test", "caFile": "right"},
                    {"serverName": "any.test", "insecureSkipVerify": True}):
        with Lab() as lab:
            scene = tls_scene(lab, options)
            with scene.agent:
                scene.curl(path="/[1-20]")
                scene.curl("--data-binary", "x" * 50000, path="/post")
                scene.wait(21)
                row = scene.row()
            at_v1, at_v2 = (sorted(e[1:] for e in recorder.requests()) for recorder in (scene.v1, scene.v2))
            check_equal(at_v2, at_v1, "requests at v2")
            check_equal((row["mirrored"]["requests"], dropped_requests(row)), (21, {}), "mirrored and dropped requests")
            check_equal({c["sni"] for c in raw(scene.v2)}, {options["serverName"]}, "names in the handshake")


@case("TLS with the wrong CA or a wrong name: counted tls_failed, not one byte of a request leaves in clear")
def tls_failed():
    for options in ({"serverName": "v2.test", "caFile": "wrong"}, {"serverName": "else.test", "caFile": "right"},
                    {"serverName": "v2.test"}):
        with Lab() as lab:
            scene = tls_scene(lab, options)
            pcap = lab.dir / "to-v2.pcap"
            sniffer = lab.spawn("node", [PYTHON, HERE / "sniffer.py", lab.dev("v2"), pcap], "sniffer")
            wait_for(lambda: pcap.exists() and pcap.stat().st_size >= 24, 5, "the sniffer")
            with scene.agent:
                scene.curl("-H", f"X-Secret: {CANARY}", path="/[1-5]")
                row = scene.row()
            check_equal(scene.v2.counts()["requests"], 0, f"requests at v2 with {options}")
            lost = dropped_requests(row)
            check("tls_failed" in lost and sum(lost.values()) == 5, f"{options}: dropped {lost}")
            lab.kill(sniffer, signal.SIGTERM)
            seen = pcap.read_bytes()
            check(len(seen) > 500, "the sniffer saw nothing of the handshakes")
            check(CANARY.encode() not in seen, f"{options}: the request went out in clear")


if __name__ == "__main__":
    main()
