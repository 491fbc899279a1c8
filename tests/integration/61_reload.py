#!/usr/bin/python3
"""Rules change under traffic: within a second, nothing reset, an invalid file changes nothing; the verbs agree."""
import time

import compare
import rules
from agent import Agent, dropped_requests, umbra
from case import case, check, check_equal, check_none, main, note
from lab import Lab
from peers import Driver, Recorder, check_unharmed, wait_requests
from scene import setup_agent

INVALID = {
    "unknown field": ("  precedence: 11\n", "  precedence: 11\n  colour: red\n"),
    "weights that do not sum to 100": ("weight: 100", "weight: 90"),
    "wrong type": ("precedence: 11", "precedence: eleven"),
    "labels on the destination": ("    name: httpbin\n  precedence",
                                  "    name: httpbin\n    labels:\n      a: b\n  precedence"),
    "both name and service": ("    name: httpbin\n  precedence", "    name: httpbin\n    service: h.x\n  precedence"),
    "broken YAML": ("spec:", "spec: ]"),
}


def slowest(agent, mirrors, action, from_index, to_index):
    """Seconds from an action until requests stop at one mirror and start at another."""
    before = mirrors[to_index].counts()["heads"]
    begin = time.monotonic()
    action()
    applied = time.monotonic() - begin
    wait_requests_from(mirrors[to_index], before + 1)
    started = time.monotonic() - begin
    last, since = mirrors[from_index].counts()["heads"], time.monotonic()
    while time.monotonic() - since < 0.5:
        now = mirrors[from_index].counts()["heads"]
        if now != last:
            last, since = now, time.monotonic()
        time.sleep(0.02)
    return applied, max(started, since - begin)


def wait_requests_from(mirror, count):
    deadline = time.monotonic() + 5
    while mirror.counts()["heads"] < count and time.monotonic() < deadline:
        time.sleep(0.01)
    check(mirror.counts()["heads"] >= count, "the new rule had no effect")


@case("rules swap twenty times under load, each within a second; v1 fails nothing, no connection is reset")
def swap_under_load():
    with Lab(mirrors=2) as lab:
        v1, v2, v2b = (Recorder(lab, role) for role in ("v1", "v2", "v2b"))
        pods = {"v1": [[lab.addr("v1")]], "v2": [[lab.addr("v2")]], "v3": [[lab.addr("v2b")]]}
        registry = rules.write(lab, "registry.yaml", rules.registry(pods))
        to_v2 = rules.write(lab, "to-v2.yaml", rules.mirror_rule("mirror", 11, "v2"))
        to_v3 = rules.write(lab, "to-v3.yaml", rules.mirror_rule("mirror", 11, "v3"))
        with Agent(lab, registry, to_v2) as agent:
            load = Driver(lab, lab.addr("v1"), seconds=120, connections=16, rate=600, mix="single=1,split=1")
            wait_requests([v2], 100, 10)
            times = []
            for turn in range(20):
                here, there = (0, 1) if turn % 2 == 0 else (1, 0)
                rule = to_v3 if there else to_v2
                times.append(slowest(agent, [v2, v2b], lambda: agent.call("apply", "-f", rule), here, there))
            result = load.end()
            check_unharmed(result)
            check_equal(result["connects"], 16, "connections of the client")
            row = agent.rule(agent.settled_ledger(), "mirror")
        sent = load.sent()
        everything = v2.requests() + v2b.requests()
        check_none(compare.altered(sent, everything, "mirrors"), "the mirrors' requests")
        check_equal(row["mirrored"]["requests"], len(everything), "mirrored requests against the mirrors' records")
        check_equal(row["seen"]["requests"], len(v1.requests()), "requests seen against the origin's records")
        worst = max(t[1] for t in times)
        note(f"slowest change {worst * 1000:.0f} ms (the verb itself {max(t[0] for t in times) * 1000:.0f} ms); "
             f"{result['answered']} answered, {len(everything)} mirrored, dropped {dropped_requests(row)}")
        check(worst <= 1.0, f"a change took {worst:.2f} s")


@case("an invalid file exits 3, names file, line and column, and changes nothing under traffic")
def invalid_changes_nothing():
    with Lab() as lab:
        v1, v2 = Recorder(lab, "v1"), Recorder(lab, "v2")
        with setup_agent(lab) as agent:
            load = Driver(lab, lab.addr("v1"), seconds=120, connections=8, rate=300, mix="single=1")
            wait_requests([v2], 50, 10)
            before = agent.json("get", "rules")
            for name, (old, new) in INVALID.items():
                text = rules.POST_RULE_FILE.read_text()
                check(old in text, f"nothing to damage for {name}")
                bad = rules.write(lab, "bad.yaml", text.replace(old, new, 1))
                done = agent.call("apply", "-f", bad, wanted=3)
                check("bad.yaml:" in done.stderr, f"{name}: no place in the message: {done.stderr!r} {done.stdout!r}")
                check_equal(umbra("check", "-f", bad).returncode, 3, f"exit code of check for {name}")
            check_equal(agent.json("get", "rules"), before, "the rules after refused files")
            count = v2.counts()["requests"]
            wait_requests([v2], count + 50, 5)
            check(v2.counts()["requests"] >= count + 50, "mirroring stopped")
            check_unharmed(load.end())
            wait_requests([v2], v1.counts()["requests"])
            check_none(compare.identical(load.sent(), v2.requests(), "v2"), "the mirror's requests")


@case("check, explain, diff, get, apply, delete, status, ledger, version: exit codes and what they print")
def verbs():
    with Lab() as lab:
        Recorder(lab, "v1"), Recorder(lab, "v2")
        agent = setup_agent(lab)
        registry, rule = agent.files
        for args in (("check", "-f", registry, "-f", rule), ("explain", "-f", registry, "-f", rule), ("version",),
                     ("--help",), ("run", "--help")):
            check_equal(umbra(*args).returncode, 0, f"exit code of {args}")
        for args in (("no-such-verb",), ("apply",), ("check", "--no-such-option")):
            check_equal(umbra(*args).returncode, 2, f"exit code of {args}")
        check_equal(agent.call("status", wanted=None).returncode, 1, "exit code of status without an agent")
        flow = f"{lab.addr('client')}:40000>{lab.addr('v1')}:8080"
        told = umbra("explain", "-f", registry, "-f", rule, "--flow", flow, "--request", "GET /headers")
        check(told.returncode == 0 and rules.POST_RULE_NAME in told.stdout and lab.addr("v2") in told.stdout,
              f"explain says: {told.stdout}{told.stderr}")
        with agent:
            check_equal(agent.call("diff", "-f", rule).returncode, 0, "exit code of diff with the rules that run")
            names = str(agent.json("get", "rules"))
            check(rules.POST_RULE_NAME in names, f"get rules says {names}")
            endpoints = str(agent.json("get", "endpoints"))
            check(lab.addr("v1") in endpoints and lab.addr("v2") in endpoints, f"get endpoints says {endpoints}")
            new = rules.mirror_rule("second", 3)
            check("second" in agent.call("diff", "-f", "-", input_text=new, wanted=None).stdout, "diff is silent")
            check("second" not in str(agent.json("get", "rules")), "diff applied the rule")
            agent.call("apply", "-f", "-", input_text=new)
            check("second" in str(agent.json("get", "rules", "second")), "apply from stdin did nothing")
            agent.call("delete", "rule", "second")
            check("second" not in str(agent.json("get", "rules")), "delete did nothing")
            agent.call("delete", "rule", "second", wanted=1)
            check(agent.json("status"), "status is empty")
            check(agent.call("status").stdout.strip(), "status prints nothing")
            check_equal(agent.json("ledger")["closes"], True, "closes")


@case("requests of two rules with conditions are counted by their own rule")
def two_rules():
    match = "  match:\n    request:\n      headers:\n        uri:\n          prefix: /post\n"
    with Lab(mirrors=2) as lab:
        v1, v2, v2b = (Recorder(lab, role) for role in ("v1", "v2", "v2b"))
        pods = {"v1": [[lab.addr("v1")]], "v2": [[lab.addr("v2")]], "v3": [[lab.addr("v2b")]]}
        files = [rules.write(lab, "registry.yaml", rules.registry(pods)),
                 rules.write(lab, "posts.yaml", rules.mirror_rule("posts", 20, "v3", match=match)),
                 rules.write(lab, "rest.yaml", rules.mirror_rule("rest", 10, "v2"))]
        with Agent(lab, *files) as agent:
            load = Driver(lab, lab.addr("v1"), requests=2000, connections=8)
            check_unharmed(load.result())
            wait_requests([v2, v2b], v1.counts()["requests"])
            ledger = agent.settled_ledger()
            for name, mirror in (("posts", v2b), ("rest", v2)):
                row = agent.rule(ledger, name)
                check_equal(row["mirrored"]["requests"], mirror.counts()["requests"], f"mirrored by {name}")
            sent = load.sent()
            both = v2.requests() + v2b.requests()
            check_none(compare.altered(sent, both, "mirrors") + compare.missing(sent, both, "mirrors"), "the copies")
            check(v2.counts()["requests"] and v2b.counts()["requests"], "a rule got nothing")
            note(f"{v2b.counts()['requests']} by the rule for /post, {v2.counts()['requests']} by the rest")


if __name__ == "__main__":
    main()
