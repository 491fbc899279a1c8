#!/usr/bin/python3
"""curl's ways of asking, against recorders and against nginx with a recorder behind it: v2's record equals v1's."""
import random

from agent import dropped_requests
from case import case, check, check_equal, main, need_command, note
from lab import Lab, wait_for
from peers import Recorder, check_exact_ledger, wait_requests
from scene import setup_agent
from servers import Nginx

PORT = 8080
MIB = 1 << 20
SIZE = 1 << 30


def ways(lab, url):
    """Arguments of curl runs: (name, requests, arguments)."""
    small, large = lab.dir / "small", lab.dir / "large"
    small.write_bytes(random.Random(34).randbytes(1000) + b"\r\n\r\n0\r\n\r\nGET /evil HTTP/1.1\r\n\r\n")
    large.write_bytes(random.Random(35).randbytes(3 * MIB))
    chunked = ["-H", "Transfer-Encoding: chunked"]
    waiting = ["-H", "Expect: 100-continue"]
    close = ["-H", "Connection: close"]
    return [
        ("GET", 1, [f"{url}/get?a=b&c=%20d"]),
        ("HEAD", 1, ["-I", f"{url}/head"]),
        ("OPTIONS", 1, ["-X", "OPTIONS", f"{url}/"]),
        ("DELETE", 1, ["-X", "DELETE", f"{url}/thing/1"]),
        ("PATCH", 1, ["-X", "PATCH", "--data-binary", f"@{small}", f"{url}/patch"]),
        ("form", 1, ["-d", "name=umbra", "-d", "x=y", f"{url}/form"]),
        ("empty POST", 1, ["-X", "POST", "-H", "Content-Length: 0", f"{url}/empty"]),
        ("multipart", 1, ["-F", f"file=@{small}", "-F", "note=text", f"{url}/multipart"]),
        ("PUT", 1, ["-T", small, f"{url}/put"]),
        ("large PUT", 1, ["-T", large, f"{url}/put-large"]),
        ("chunked POST", 1, [*chunked, "--data-binary", f"@{small}", f"{url}/chunked"]),
        ("large chunked PUT", 1, [*chunked, "-T", large, f"{url}/chunked-large"]),
        ("Expect", 1, [*waiting, "--data-binary", f"@{small}", f"{url}/expect"]),
        ("Expect, large", 1, [*waiting, "--data-binary", f"@{large}", f"{url}/expect-large"]),
        ("Expect, chunked", 1, [*waiting, *chunked, "--data-binary", f"@{large}", f"{url}/expect-chunked"]),
        ("HTTP/1.0", 1, ["-0", f"{url}/old"]),
        ("HTTP/1.0 POST", 1, ["-0", "--data-binary", f"@{small}", f"{url}/old-post"]),
        ("Connection: close", 1, [*close, f"{url}/close"]),
        ("Connection: close, POST", 1, [*close, "--data-binary", f"@{small}", f"{url}/close-post"]),
        ("keep-alive", 50, [f"{url}/many/[1-50]"]),
        ("keep-alive, POST", 20, ["--data-binary", f"@{small}", f"{url}/posts/[1-20]"]),
        ("parallel", 30, ["-Z", "--parallel-max", 10, f"{url}/parallel/[1-30]"]),
        ("long head", 1, ["-H", "X-Long: " + "l" * 6000, "-b", "a=b; c=d", "-A", "", f"{url}/long"]),
        ("range", 1, ["-r", "5-10", f"{url}/range"]),
    ]


def ask_all(lab, host):
    """Runs them all and returns how many requests that were."""
    asked = 0
    for name, count, args in ways(lab, f"http://{host}:{PORT}"):
        argv = ["curl", "-sS", "--max-time", "20", "-o", "/dev/null", "-w", "%{http_code}\n", *args]
        codes = lab.exec("client", [str(a) for a in argv]).stdout.split()
        check_equal([c for c in codes if c in ("000", "200")], ["200"] * count, f"status codes of {name}")
        asked += count
    return asked


def bare(records):
    """What two servers' records have in common: without their numbers of connections."""
    return sorted(tuple(entry[1:]) for entry in records)


@case("every way of asking, over IPv4 and IPv6: the raw bytes of each request at v2 are those at v1")
def raw_bytes():
    need_command("curl")
    with Lab() as lab:
        v1, v2 = Recorder(lab, "v1"), Recorder(lab, "v2")
        with setup_agent(lab) as agent:
            asked = ask_all(lab, lab.addr("v1")) + ask_all(lab, f"[{lab.addr('v1', 6)}]")
            at_v1 = v1.requests()
            at_v2 = wait_requests([v2], len(at_v1), 15)
            row = check_exact_ledger(agent, v1, at_v2)
        check_equal(len(at_v1), asked, "requests at v1")
        check_equal(bare(at_v2), bare(at_v1), "requests at v2")
        check_equal(dropped_requests(row), {}, "dropped requests")
        note(f"{asked} requests, {row['mirrored']['bytes'] / 1e6:.1f} MB")


def nginx_with_recorder(lab, role):
    """nginx on the role's address, which passes each request on to a recorder on the role's loopback."""
    inner = Recorder(lab, role, name=f"behind-{role}", addresses=["127.0.0.1"], port=9090)
    nginx = Nginx(lab, role, f"""    log_format told
        '"$request" $request_length $status $http_expect $connection_requests';
    access_log {lab.dir}/nginx-{role}/told.log told;
    server {{
        listen {lab.addr(role)}:{PORT};
        client_max_body_size 0;
        location / {{
            proxy_pass http://127.0.0.1:9090;
            proxy_http_version 1.1;
            proxy_set_header Host $http_host;
            proxy_set_header Connection "";
        }}
    }}""", name=f"nginx-{role}")
    nginx.log.path = lab.dir / f"nginx-{role}" / "told.log"
    lab.wait_port(role, lab.addr(role), PORT)
    return nginx, inner


@case("nginx as v1 and as v2, a recorder behind each: equal access logs, equal requests behind them")
def nginx_twice():
    need_command("nginx", "curl")
    with Lab() as lab:
        (log1, behind1), (log2, behind2) = (nginx_with_recorder(lab, role) for role in ("v1", "v2"))
        with setup_agent(lab) as agent:
            asked = ask_all(lab, lab.addr("v1"))
            at_v1 = behind1.requests()
            at_v2 = wait_requests([behind2], len(at_v1), 15)
            row = agent.rule(agent.settled_ledger())
        check_equal(len(at_v1), asked, "requests behind v1")
        check_equal(bare(at_v2), bare(at_v1), "requests behind v2")
        check_equal(sorted(log2.log.fresh(asked)), sorted(log1.log.fresh(asked)), "lines of nginx's access log")
        check_equal((row["mirrored"]["requests"], dropped_requests(row)), (asked, {}), "mirrored and dropped requests")


def sparse_file(path):
    """1 GiB, nearly all holes: a block of random bytes at the start of each MiB."""
    rand = random.Random("1 GiB")
    with open(path, "wb") as file:
        for start in range(0, SIZE, MIB):
            file.seek(start)
            file.write(rand.randbytes(4096))
        file.truncate(SIZE)


@case("one POST of 1 GiB: the same hash at v2, the agent grows by no more than the buffers it states for a flow")
def one_gibibyte():
    need_command("curl")
    for rate in ("100M", "50M", "20M"):  # a machine that is too slow for a rate sheds the request, whole and counted
        if upload(rate):
            return
    check(False, "v2 got the request at no rate")


def upload(rate):
    """Whether v2 got the request; if it did not, the ledger says why and v2 has nothing of it."""
    with Lab() as lab:
        v1, v2 = Recorder(lab, "v1"), Recorder(lab, "v2")
        body = lab.dir / "body"
        sparse_file(body)
        with setup_agent(lab) as agent:
            limits = {entry["name"]: entry["value"] for entry in agent.json("status")["limits"]}
            stated = sum(mebibytes(limits[name]) for name in ("flow_queue", "flow_unacked", "flow_ooo"))
            idle = agent.rss()
            with agent.watch_rss() as samples:
                done = lab.exec("client", ["curl", "-sS", "-X", "POST", "-T", body, "-H", "Expect:", "--limit-rate",
                                           rate, "-o", "/dev/null", "-w", "%{http_code} %{speed_upload}",
                                           f"http://{lab.addr('v1')}:{PORT}/gibibyte"], timeout=180)
                code, speed = done.stdout.split()
                at_v1 = v1.requests()
                wait_for(lambda: v2.counts()["requests"] or dropped_requests(agent.rule(agent.ledger())), 60,
                         "the request at v2", step=0.2)
            row = agent.rule(agent.settled_ledger())
            grown = (max(samples) - idle) / MIB
            note(f"{float(speed) / 1e6:.0f} MB/s; the agent grew by {grown:.0f} MiB, stated {stated:.0f} MiB; "
                 f"dropped {row['dropped']}")
            check_equal(code, "200", "status")
            check(at_v1[0][3] > SIZE, f"v1 received {at_v1}")
            check(grown <= stated, f"the agent grew by {grown:.0f} MiB, its buffers are {stated:.0f} MiB")
            if dropped_requests(row):
                check_equal((v2.requests(), row["mirrored"]["requests"]), ([], 0), "a request that was shed, at v2")
                return False
            check_equal(bare(v2.requests()), bare(at_v1), "the request at v2")
            check_exact_ledger(agent, v1, v2.requests())
            return True


def mebibytes(value):
    check(value.endswith("M"), f"a limit that is not in MiB: {value}")
    return int(value[:-1])


if __name__ == "__main__":
    main()
