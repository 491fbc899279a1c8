#!/usr/bin/python3
"""`umbra streams` and `umbra replay` on capture files: no agent, no root needed."""
import hashlib
import json
import os
import pathlib
import signal
import struct
import subprocess
import time

import compare
from agent import binary
from case import Skip, case, check, check_equal, check_none, main
from lab import HERE, PYTHON, Lab, run, wait_for
from peers import PORT, Recorder, drive

CORPORA = pathlib.Path(os.environ.get("UMBRA_CORPORA", HERE.parents[2] / "shared" / "corpora"))


def umbra(*args, timeout=120):
    return run([binary(), *args], check=False, timeout=timeout)


def captured(lab, requests=300, **options):
    """Drives real clients against v1 and captures them; returns the file and what was sent."""
    path = lab.dir / f"{options.get('tag', 'r')}.pcap"
    sniffer = lab.spawn("node", [PYTHON, HERE / "sniffer.py", lab.dev("v1"), path], "sniffer")
    wait_for(lambda: "ready" in lab.log("sniffer"), 10, "the sniffer")
    sent, _ = drive(lab, lab.addr("v1"), requests=requests, **options)
    time.sleep(0.3)
    lab.kill(sniffer, signal.SIGTERM)
    check("lost 0" in lab.log("sniffer"), f"the capture is not complete: {lab.log('sniffer')}")
    return path, sent


def duration(path):
    """Seconds from the first packet of a capture of the sniffer to the last."""
    data, at, times = path.read_bytes(), 24, []
    while at < len(data):
        seconds, nanoseconds, length, _ = struct.unpack_from("<IIII", data, at)
        times.append(seconds + nanoseconds / 1e9)
        at += 16 + length
    return times[-1] - times[0]


def replay(lab, path, *args, role="client", target=None):
    to = target or f"{lab.addr('v2')}:{PORT}"
    done = lab.exec(role, [binary(), "replay", path, "--to", to, "-o", "json", *args], check=False, timeout=120)
    return done, json.loads(done.stdout) if done.stdout else None


@case("the files and the index of public captures are what a Linux socket read, through the program, in both modes")
def public_captures():
    if not (CORPORA / "pcap/expected.json").exists():
        raise Skip("corpora not found: set UMBRA_CORPORA")
    expected = json.loads((CORPORA / "pcap/expected.json").read_text())
    with Lab(mirrors=0) as lab:
        for mode in ("strict", "one-sided"):
            wrong = []
            for name in sorted({flow["file"] for flow in expected}):
                out = lab.dir / mode / name
                done = umbra("streams", CORPORA / "pcap" / name, "--out", out, "--mode", mode)
                check_equal(done.returncode, 0, f"exit code for {name}: {done.stderr}")
                index = {}
                for entry in json.loads(done.stdout):
                    index[entry["client"], entry["server"].replace("[", "").replace("]", "")] = entry
                    data = (out / entry["file"]).read_bytes()
                    if (len(data), hashlib.sha256(data).hexdigest()) != (entry["bytes"], entry["sha256"]):
                        wrong.append(f"{name}: file and index differ: {entry}")
                for flow in (flow for flow in expected if flow["file"] == name):
                    got = index.get((flow["client"], flow["server"]), {})
                    if any(got.get(key) != flow[key] for key in ("bytes", "sha256", "state")):
                        wrong.append(f"{name}: {flow} but {got}")
            # There the server acknowledged data on the SYN; the socket of the reference had no Fast Open.
            check_none([text for text in wrong if mode == "one-sided" or "payload-syn" not in text], mode)


@case("neither verb needs a privilege")
def without_privilege():
    with Lab() as lab:
        Recorder(lab, "v1")
        recorder = Recorder(lab, "v2")
        path, sent = captured(lab, requests=20, connections=2)
        copy = lab.dir / "umbra"
        copy.write_bytes(pathlib.Path(binary()).read_bytes())
        copy.chmod(0o755)
        (lab.dir / "nobody").mkdir()
        os.chown(lab.dir / "nobody", 65534, 65534)
        path.chmod(0o644)
        nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs"]
        done = run([*nobody, copy, "streams", path, "--out", lab.dir / "nobody/out"], check=False)
        check_equal(done.returncode, 0, f"streams as nobody: {done.stderr}")
        done = lab.exec("client", [*nobody, copy, "replay", path, "--to", f"{lab.addr('v2')}:{PORT}",
                                   "--speed", "max"], check=False)
        check_equal(done.returncode, 0, f"replay as nobody: {done.stderr}")
        check_none(compare.identical(sent, recorder.requests(), "v2"), "requests")


@case("what a replay sends is what the clients sent: bytes, order, connections; at any speed, over IPv4 and IPv6")
def replay_is_exact():
    with Lab() as lab:
        Recorder(lab, "v1")
        v2 = Recorder(lab, "v2")
        path, sent = captured(lab, connections=8)
        v6 = f"[{lab.addr('v2', 6)}]:{PORT}"
        for args, target in ((("--speed", "max"), None), (("--speed", "5"), v6),
                             (("--mode", "one-sided", "--speed", "0"), None), ((), None)):
            v2.do("reset")
            done, sums = replay(lab, path, *args, target=target)
            check_equal(done.returncode, 0, f"{args}: {done.stderr}")
            check_none(compare.identical(sent, v2.requests(), "v2"), f"requests with {args}")
            check(sums["closes"], f"the ledger of {args}: {sums}")
            check_equal(sums["replayed"]["requests"], len(v2.requests()), "requests in the sums")
            check_equal(sums["answers"]["2xx"], len(v2.requests()), "answers in the sums")


@case("the files of `umbra streams` hold the requests that the clients sent")
def streams_of_live_traffic():
    with Lab() as lab:
        Recorder(lab, "v1")
        path, sent = captured(lab, connections=8)
        out = lab.dir / "out"
        done = umbra("streams", path, "--out", out)
        check_equal(done.returncode, 0, done.stderr)
        sums = {entry["sha256"]: entry for entry in json.loads(done.stdout)}
        total = sum(entry["bytes"] for entry in sums.values())
        check_equal(total, sum(request[2] for connection in sent for request in connection), "bytes")


@case("the captured pace is kept, and a multiple of it")
def replay_keeps_the_pace():
    with Lab() as lab:
        Recorder(lab, "v1")
        Recorder(lab, "v2")
        path, _ = captured(lab, requests=60, connections=1, rate=20)
        _, fast = replay(lab, path, "--speed", "max")
        _, original = replay(lab, path)
        _, double = replay(lab, path, "--speed", "2")
        length = duration(path)
        check(length > 0.5, f"the capture is too short to tell: {length} s")
        check(original["seconds"] >= length * 0.9, f"original pace: {original['seconds']} of {length} s")
        check(double["seconds"] >= length * 0.45, f"double pace: {double['seconds']} of {length / 2} s")
        check(fast["seconds"] < original["seconds"], f"full speed: {fast['seconds']} s")


@case("--loop repeats, --port chooses")
def loops_and_ports():
    with Lab() as lab:
        Recorder(lab, "v1")
        v2 = Recorder(lab, "v2")
        path, sent = captured(lab, requests=40, connections=4)
        count = sum(len(connection) for connection in sent)
        done, sums = replay(lab, path, "--speed", "max", "--loop", "3")
        check_equal(done.returncode, 0, done.stderr)
        check_equal(v2.counts()["requests"], 3 * count, "requests of three loops")
        check_equal(sums["loops"], 3, "loops")
        _, sums = replay(lab, path, "--speed", "max", "--port", PORT + 1)
        check_equal(sums["seen"]["requests"], 0, "requests to another port")
        _, sums = replay(lab, path, "--speed", "max", "--port", PORT, "--port", PORT + 1)
        check_equal(sums["replayed"]["requests"], count, "requests to the port")


@case("an unreachable target is an error with its cause; a target that fails in between is counted")
def trouble_at_the_target():
    with Lab() as lab:
        Recorder(lab, "v1")
        v2 = Recorder(lab, "v2")
        path, _ = captured(lab, requests=60, connections=4)
        done, sums = replay(lab, path, target=f"{lab.addr('v2')}:{PORT + 7}")
        check_equal(done.returncode, 1, "exit code for an unreachable target")
        check("refused" in done.stderr and "hint:" in done.stderr, f"the error: {done.stderr}")
        check(sums["closes"], f"the sums: {sums}")
        v2.mode("close_mid", every=5)
        done, sums = replay(lab, path, "--speed", "max")
        check_equal(done.returncode, 0, done.stderr)
        lost = sum(sums["dropped"].get(f"mirror_{how}", {}).get("requests", 0) for how in ("reset", "closed"))
        check(sums["closes"] and lost > 0, f"the sums: {sums}")


@case("SIGINT ends a replay at once, with the sums")
def interrupted():
    with Lab() as lab:
        Recorder(lab, "v1")
        Recorder(lab, "v2")
        path, _ = captured(lab, requests=60, connections=1, rate=20)
        child = subprocess.Popen(lab.argv("client", [binary(), "replay", path, "--to", f"{lab.addr('v2')}:{PORT}",
                                                     "--speed", "0.01", "-o", "json"]),
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        lab.children.append(child)
        time.sleep(1)
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=10)
        sums = json.loads(out)
        check_equal(child.returncode, 0, f"exit code: {err}")
        check(sums["interrupted"] and sums["closes"], f"the sums: {sums}")


if __name__ == "__main__":
    main()
