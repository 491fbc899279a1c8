#!/usr/bin/python3
"""What an intruder would find: the terminator behind its filter, mirrors only where copies may go, a worker's bandwidth
bounded, and secrets in no log, status, metric, map or core file."""
import json
import os
import re
import resource
import signal

import rules
from agent import Agent, alive, binary, dropped_requests
from case import case, check, check_equal, check_none, main, need_command, note
from lab import Lab, run, wait_for
from peers import Driver, Recorder, check_unharmed, wait_requests
from policy_scene import PORT, Scene
from scene import setup_agent

ROOM = "Pa55-canary-of-the-secret-41c9"
CANARIES = {place: f"{ROOM}-{place}" for place in ("authorization", "cookie", "path", "body", "header")}
METRICS = 9464
OTHER = ["setpriv", "--reuid=65532", "--regid=0", "--clear-groups", "--bounding-set=-all", "--no-new-privs"]


def status_of(pid):
    with open(f"/proc/{pid}/status") as status:
        return dict(line.rstrip("\n").split(":\t", 1) for line in status if ":\t" in line)


def core_limit(pid):
    with open(f"/proc/{pid}/limits") as limits:
        return next(line.split()[4:6] for line in limits if line.startswith("Max core file size"))


def descriptors(pid):
    folder = f"/proc/{pid}/fd"
    return {fd: (os.readlink(f"{folder}/{fd}"), os.stat(f"{folder}/{fd}").st_dev) for fd in os.listdir(folder)}


def check_confined(pid, what):
    fields = status_of(pid)
    note(f"{what} {pid}: " + ", ".join(f"{name} {fields[name]}" for name in
                                      ("Uid", "CapEff", "CapPrm", "CapBnd", "NoNewPrivs", "Seccomp")))
    check(fields["Uid"].split()[0] != "0", f"{what} is root")
    for name in ("CapEff", "CapPrm", "CapInh", "CapAmb", "CapBnd"):
        check_equal(int(fields[name], 16), 0, f"{name} of {what}")
    check_equal((fields["NoNewPrivs"], fields["Seccomp"]), ("1", "2"), f"NoNewPrivs and Seccomp of {what}")
    check_equal(core_limit(pid), ["0", "0"], f"core file size of {what}")
    bpffs = os.stat("/sys/fs/bpf").st_dev if os.path.ismount("/sys/fs/bpf") else None
    pinned = [name for name, device in descriptors(pid).values() if name.startswith("/sys/fs/bpf") or device == bpffs]
    check_none(pinned, f"descriptors of {what} on bpffs")


def check_told(agent):
    """What status says is what /proc says."""
    for row in agent.json("status")["processes"]:
        fields = status_of(row["pid"])
        check_equal((row["seccomp"], row["no_new_privs"], row["permitted"]),
                    (fields["Seccomp"], fields["NoNewPrivs"] == "1", fields["CapPrm"]), f"status of {row['role']}")
    text = agent.call("status").stdout
    check(re.search(r"^ *terminator .*\bfiltered\b", text, re.M), f"no filter in the text of status:\n{text}")


def pid_of(agent, role):
    return next(row["pid"] for row in agent.json("status")["processes"] if row["role"] == role)


@case("forked or adopted, the terminator has a filter, no capability, no core file, nothing of bpffs; status says so")
def confined():
    need_command("setpriv")
    with Lab() as lab:
        Recorder(lab, "v1")
        v2 = Recorder(lab, "v2")
        door = lab.dir / "terminator.sock"
        for args in ((), ("--terminator-socket", door, "--group", "0")):
            with setup_agent(lab, *args) as agent:
                if args:
                    lab.spawn("node", [*OTHER, binary(), "terminator", "--socket", door], "terminator")
                    wait_for(lambda: agent.json("status")["terminator"] == "running", 10, "an adopted terminator")
                check_confined(pid_of(agent, "terminator"), "an adopted terminator" if args else "the terminator")
                check_equal(status_of(pid_of(agent, "loader"))["NoNewPrivs"], "1", "the loader's NoNewPrivs")
                check_equal(core_limit(pid_of(agent, "loader")), ["0", "0"], "the loader's core file size")
                check_told(agent)
                before = v2.counts()["requests"]
                check_unharmed(Driver(lab, lab.addr("v1"), requests=50, connections=2, mix="single=1",
                                      tag=f"c{len(args)}").result())
                wait_requests([v2], before + 50, 10)
                check_equal(v2.counts()["requests"], before + 50, "requests at v2")


def scene_of(lab, addresses, *args):
    """An agent whose mirror has these addresses."""
    pods = {"v1": [[lab.addr("v1")]], "v2": [[address] for address in addresses]}
    return Agent(lab, rules.write(lab, "registry.yaml", rules.registry(pods)), rules.POST_RULE_FILE, args=args)


@case("metadata, link-local and loopback addresses get no copies unless allowed by name; judged anew at each change")
def targets_judged():
    with Lab() as lab:
        Recorder(lab, "v1")
        v2 = Recorder(lab, "v2")
        bad = ["169.254.169.254", "127.0.0.5"]
        with scene_of(lab, [*bad, lab.addr("v2")]) as agent:
            for address in bad:
                check(re.search(rf"{re.escape(address)}:{PORT} gets no copies: it is a", agent.log()),
                      f"no warning about {address}: {agent.log()}")
            check_unharmed(Driver(lab, lab.addr("v1"), requests=60, connections=3, mix="single=1").result())
            wait_requests([v2], 60, 10)
            check_equal(v2.counts()["requests"], 60, "requests at the endpoint that is left")
            agent.settled_ledger()
            pods = {"v1": [[lab.addr("v1")]], "v2": [[address] for address in [*bad, "169.254.7.7"]]}
            done = agent.call("apply", "-f", rules.write(lab, "changed.yaml", rules.registry(pods)))
            check("gets no copies" in done.stderr, f"no warning about the change: {done.stderr}")
            status = agent.json("status")["rules"][0]["status"]
            check("gets no copies" in status, f"the rule's status: {status}")
            check_unharmed(Driver(lab, lab.addr("v1"), requests=20, connections=2, mix="single=1", tag="late").result())
            check_equal(v2.counts()["requests"], 60, "requests at v2 after the change")


@case("--only-targets keeps everything else out, --allow-targets lets loopback in; check and explain judge alike")
def targets_named():
    with Lab() as lab:
        v1, v2 = Recorder(lab, "v1"), Recorder(lab, "v2")
        with scene_of(lab, [lab.addr("v2")], "--only-targets", "192.0.2.0/24") as agent:
            check("outside of --only-targets" in agent.log(), f"no warning: {agent.log()}")
            check_unharmed(Driver(lab, lab.addr("v1"), requests=20, connections=2, mix="single=1").result())
        check_equal(v2.counts()["requests"], 0, "requests outside of the list")
        agent = scene_of(lab, ["127.0.0.5"])
        files = [part for file in agent.files for part in ("-f", file)]
        for verb in ("check", "explain"):
            refused, allowed, wrong = (run([binary(), verb, *files, *more], check=False) for more in
                                       ((), ("--allow-targets", "127.0.0.0/8"), ("--allow-targets", "localhost")))
            check("it is a loopback address" in refused.stdout + refused.stderr, f"{verb}: {refused.stdout}")
            check("loopback" not in allowed.stdout + allowed.stderr, f"{verb}, allowed: {allowed.stderr}")
            check(wrong.returncode != 0 and "no address block" in wrong.stderr, f"{verb}, wrong: {wrong.stderr}")
        inner = Recorder(lab, "node", addresses=["127.0.0.5"], port=PORT, name="inner")
        with scene_of(lab, ["127.0.0.5"], "--allow-targets", "127.0.0.0/8"):
            check_unharmed(Driver(lab, lab.addr("v1"), requests=20, connections=2, mix="single=1", tag="loop").result())
            wait_requests([inner], 20, 10)
        check_equal(inner.counts()["requests"], 20, "requests at the allowed loopback address")
        check(v1.counts()["requests"] >= 40, "requests at v1")


@case("the port where the agent's own exporter listens is no mirror")
def own_port():
    with Lab() as lab:
        with scene_of(lab, ["127.0.0.1"], "--metrics", f"127.0.0.1:{PORT}", "--group", "0", "--allow-targets",
                      "127.0.0.0/8") as agent:
            check("where the agent itself listens" in agent.log(), f"no warning: {agent.log()}")
            agent.stop()


@case("all mirrors of a worker together get no more than mirror_bandwidth; the rest is counted as mirror_rate")
def bandwidth():
    need_command("curl")
    with Lab() as lab:
        scene = Scene(lab, {}, agent_args=("--limit", "mirror_bandwidth=1000", "--workers", "1"))
        with scene.agent as agent:
            body = ["--data-binary", "x" * 1500]
            scene.curl(*body, path="/post")
            row = scene.row()
            check_equal(dropped_requests(row), {"mirror_rate": 1}, "dropped requests")
            scene.curl(path="/get")
            scene.wait(1)
            check_equal(scene.row()["mirrored"]["requests"], 1, "a request that fits the rate")
            shown = agent.call("status", "-o", "wide").stdout
            check(re.search(r"mirror_bandwidth +1000\b", shown), f"the limit in status: {shown}")


def ask_with_secrets(scene):
    scene.curl("-H", f"Authorization: Bearer {CANARIES['authorization']}", "-b", f"session={CANARIES['cookie']}",
               "-H", f"X-Custom: {CANARIES['header']}", "--data-binary", CANARIES["body"],
               path=f"/find/{CANARIES['path']}?token={CANARIES['path']}")


def metrics_of(lab):
    def scraped():
        done = lab.exec("node", ["curl", "-sS", "--max-time", "20", f"http://127.0.0.1:{METRICS}/metrics"], check=False)
        return done.returncode == 0 and done.stdout
    text = wait_for(scraped, 10, "the exporter")
    check("umbra_" in text, f"no metrics: {text[:200]}")
    return text


def maps_of(agent):
    """Every byte of every map of the agent, as text where it is text."""
    text = ""
    for kind, number in sorted(agent.ids):
        if kind != "map":
            continue
        shown = run(["bpftool", "-j", "map", "dump", "id", number], check=False).stdout
        octets = bytes(int(byte, 16) for byte in re.findall(r'"(0x[0-9a-f]{2})"', shown))
        text += shown + octets.decode("latin-1")
    check(text, "no map was read")
    return text


def told(scene):
    """What the running agent shows to anybody, by where."""
    agent = scene.agent
    out = {verb: json.dumps(agent.json(*verb.split(), wanted=None)) for verb in
           ("status", "ledger", "get rules", "get policies", "get endpoints")}
    out |= {"text of status": agent.call("status", "-o", "wide").stdout, "explain": agent.call("explain").stdout}
    out["metrics"] = metrics_of(scene.lab)
    out["maps"] = maps_of(agent)
    out["command lines"] = "".join(open(f"/proc/{pid}/cmdline").read() for pid in agent.pids())
    return out


def crash(agent):
    """The terminator dies by a signal that would leave a core file; returns when another one runs."""
    pid = pid_of(agent, "terminator")
    os.kill(pid, signal.SIGSEGV)
    wait_for(lambda: not alive(pid), 5, "the end of the terminator")
    wait_for(lambda: agent.json("status")["terminator"] == "running", 10, "another terminator")


def certificate(lab):
    """Certificate and key that nobody vouches for."""
    files = lab.dir / "self.pem", lab.dir / "self.key"
    lab.exec("node", ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                      "-days", "2", "-subj", "/CN=v2.test", "-out", files[0], "-keyout", files[1]])
    return files


def secret_run(lab, tls):
    """Requests with secrets while the mirror is well and when it fails; the row of the former, and what was told."""
    scene = Scene(lab, {"redact": {"credentials": "hash"}, **({"tls": tls} if tls else {})},
                  v2_args=["--tls", *certificate(lab)] if tls else [],
                  agent_args=("--log-level", "debug", "--metrics", f"127.0.0.1:{METRICS}", "--group", "0"))
    with scene.agent as agent:
        for _ in range(5):
            ask_with_secrets(scene)
        row = scene.row()
        scene.v2.kill()
        for _ in range(3):
            ask_with_secrets(scene)
        shown = told(scene)
        crash(agent)
        shown["log"] = agent.log()
    shown["log at the end"] = agent.log()
    return scene, row, shown


@case("a secret in a header, the path or a body is in no log, status, metric, map or core file, mirror well or not")
def canary():
    need_command("curl", "bpftool", "openssl")
    before = set(os.listdir("."))
    resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    for tls in ({}, {"serverName": "v2.test"}, {"insecureSkipVerify": True, "serverName": "v2.test"}):
        with Lab() as lab:
            scene, row, shown = secret_run(lab, tls)
            leaks = [where for where, text in shown.items() if ROOM in text]
            check_equal(leaks, [], f"TLS {tls}: places with a secret")
            check("ready" in shown["log at the end"], "the log is empty: nothing was proved")
            check_equal((row["seen"]["requests"], row["mirrored"]["requests"]),
                        (5, 0 if tls and "insecureSkipVerify" not in tls else 5), f"TLS {tls}: requests")
            at_v1 = "".join(connection["text"] for connection in scene.v1.do("raw")["raw"])
            check_equal([place for place, text in CANARIES.items() if text not in at_v1], [], "not even at v1")
            cores = [name for name in set(os.listdir(".")) - before if "core" in name]
            cores += [str(path) for path in lab.dir.rglob("*core*")]
            check_none(cores, "core files")


if __name__ == "__main__":
    main()
