#!/usr/bin/python3
"""Agents killed at any moment, rules reloaded, programs attached and detached, devices and namespaces that come and go:
nothing leaks and nothing stays behind, and each request goes where one rule says."""
import json
import random
import time

import kernel_state
import rules
from agent import Agent, dropped_requests
from battery import Holdings, Load, Stand, ask, check_holdings, check_mirror, check_origin, size
from case import case, check, check_equal, check_none, main, note
from lab import Lab, run, wait_for
from scene import setup_agent

MIB = 1 << 20


def check_nothing_left(before):
    """BPF objects that came since then are gone, but for those of other processes of the machine."""
    try:
        wait_for(lambda: not kernel_state.unowned_bpf_ids(before), 20, "the end of all BPF objects", step=0.2)
    except Exception:  # the ids say which ones
        left = [run(["bpftool", kind, "show", "id", number], check=False).stdout.strip()
                for kind, number in sorted(kernel_state.unowned_bpf_ids(before))]
        check_none([text for text in left if text], "BPF objects left behind")


@case("an agent killed at random moments of its life: nothing of it stays, no request fails, the next one starts")
def random_kills():
    dice = random.Random(11)
    with Lab() as lab:
        v1, v2 = Stand(lab, "v1"), Stand(lab, "v2")
        objects, state = kernel_state.all_bpf_ids(), kernel_state.dump(lab)
        load = Load(lab, requests=1000, rate=300, stay=True)
        agent = setup_agent(lab)
        begin = time.monotonic()
        agent.start()
        longest = 2 * (time.monotonic() - begin)  # so one half ends before they are ready
        agent.stop()
        ready, begin = 0, time.monotonic()
        for turn in range(size("kills")):
            agent.launch()
            time.sleep(dice.uniform(0, longest))
            ready += agent.is_ready()
            (agent.kill_all if turn % 2 else agent.kill_main)()
            if turn % 25 == 24:
                check_none(kernel_state.differences(state, kernel_state.dump(lab)), f"left after kill {turn + 1}")
        seconds = time.monotonic() - begin
        check_nothing_left(objects)
        agent.start()
        before = v2.requests()
        wait_for(lambda: v2.requests() >= before + 50, 20, "requests at v2 after the last start")
        result = load.end()
        agent.settled_ledger()
        agent.stop()
        check_nothing_left(objects)
        check_none(kernel_state.differences(state, kernel_state.dump(lab)), "left in the end")
        sent, got = load.records(), v2.records()
        check_origin(sent, v1)
        check_mirror(sent, got)
        note(f"{size('kills')} agents killed in {seconds:.0f} s, {ready} of them were ready; {result['answered']} "
             f"requests, 0 failed, {len(got)} at v2; {len(agent.ids)} BPF objects were seen, none is left")


def apply_in_the_end(agent, text):
    """A terminator that gets no CPU for two seconds is replaced, and the change refused: that is no failure here."""
    def applied():
        done = agent.call("apply", "-f", "-", input_text=text, wanted=None)
        check(done.returncode == 0 or "did not answer in time" in done.stderr, f"apply: {done.stdout}{done.stderr}")
        return done.returncode == 0
    wait_for(applied, 60, "a change in force", step=0.5)


@case("reloads under load: each request goes to the old or the new mirror, never to both, none is lost uncounted")
def reloads():
    with Lab(mirrors=2) as lab:
        v1, v2, v3 = (Stand(lab, role) for role in ("v1", "v2", "v2b"))
        pods = {"v1": [[lab.addr("v1")]], "v2": [[lab.addr("v2")]], "v3": [[lab.addr("v2b")]]}
        texts = [rules.mirror_rule("mirror", 11, version) for version in ("v3", "v2")]
        files = [rules.write(lab, "registry.yaml", rules.registry(pods)), rules.write(lab, "rule.yaml", texts[1])]
        with Agent(lab, *files) as agent:
            before = Holdings(agent)  # without connections to mirrors
            load = Load(lab, requests=2000, rate=1000, connections=32, stay=True)
            wait_for(lambda: v2.requests() >= 100, 20, "requests at v2")
            begin, slowest = time.monotonic(), 0
            for turn in range(size("reloads")):
                start = time.monotonic()
                apply_in_the_end(agent, texts[turn % 2])
                slowest = max(slowest, time.monotonic() - start)
                time.sleep(max(0, begin + (turn + 1) * 0.06 - time.monotonic()))
            seconds = time.monotonic() - begin
            result = load.end()
            row = agent.rule(agent.settled_ledger(), "mirror")
            held = check_holdings(agent, before, 16 * MIB)
            restarts = agent.json("status")["restarts"]
        sent = load.records()
        check_origin(sent, v1)
        parts = [v2.records(), v3.records()]
        got = parts[0] + parts[1]
        check_mirror(sent, got, "v2 and v3")
        dropped = dropped_requests(row)
        note(f"{size('reloads')} reloads in {seconds:.1f} s, the slowest {slowest * 1000:.0f} ms; {result['answered']} "
             f"requests, 0 failed; {len(parts[0])} and {len(parts[1])} at v2 and v3, none at both, "
             f"dropped {dropped}; {held}")
        check(min(map(len, parts)) > 50, "a mirror got hardly anything")
        if restarts:
            return note(f"the machine is too slow: the terminator was replaced {restarts} times, the sums do not show more")
        check_equal(row["seen"]["requests"], len(sent), "requests seen")
        check_equal(row["mirrored"]["requests"], len(got), "requests mirrored against the mirrors' records")
        check_equal(len(sent) - len(got), sum(dropped.values()), "requests at neither mirror against those counted")


def check_mirrors_all(lab, v1, v2, requests=300):
    """After what came before, everything is mirrored again."""
    before = {r.id for r in v2.records()}
    load = Load(lab, requests=requests, rate=500, connections=8)
    load.result()
    sent = load.records()
    wait_for(lambda: len(v2.records()) >= len(before) + len(sent), 20, "all requests at v2")
    got = [r for r in v2.records() if r.id not in before]
    check_mirror(sent, got)
    check_equal(len(got), len(sent), "requests at v2")


@case("programs detached and attached again by pausing, by deleting the rule, by another rule: nothing leaks")
def attach_cycles():
    with Lab() as lab:
        v1, v2 = Stand(lab, "v1"), Stand(lab, "v2")
        objects = kernel_state.all_bpf_ids()
        with setup_agent(lab) as agent:
            rule = rules.POST_RULE_FILE.read_text()

            def whole_cycle():
                ask(agent, "pause", reason="cycle")
                ask(agent, "resume")
            for _ in range(20):  # what grows once only has grown
                whole_cycle()
            before, begin, small = Holdings(agent), time.monotonic(), max(10, size("cycles") // 20)
            for _ in range(size("cycles")):
                whole_cycle()
            paused = time.monotonic() - begin
            for turn in range(small):
                agent.call("delete", "rule", rules.POST_RULE_NAME)
                if turn == 0:
                    check_equal(agent.json("status")["attach_points"], [], "attached without a rule")
                agent.call("apply", "-f", "-", input_text=rule)
            held = check_holdings(agent, before, 16 * MIB)
            check_mirrors_all(lab, v1, v2)
            agent.settled_ledger()
        check_nothing_left(objects)
        note(f"{size('cycles')} cycles by pausing in {paused:.1f} s, {small} by the rule; {held}")


def entries(agent, name):
    """How many elements a map of the agent has."""
    for kind, number in sorted(kernel_state.bpf_ids(agent.pids())):
        if kind == "map" and json.loads(run(["bpftool", "-j", "map", "show", "id", number]).stdout).get("name") == name:
            return len(json.loads(run(["bpftool", "-j", "map", "dump", "id", number]).stdout))
    return None


@case("devices and namespaces come and go while the agent attaches to every device: nothing leaks")
def device_churn():
    with Lab(layout="host") as lab:
        v1, v2 = Stand(lab, "v1"), Stand(lab, "v2")
        objects = kernel_state.all_bpf_ids()
        with setup_agent(lab) as agent:
            def attached():
                return {point["device"] for point in agent.json("status")["attach_points"]}
            first = attached()
            check(first, "the agent is attached to nothing")
            elements = entries(agent, "umbra_devices")
            before = Holdings(agent)  # without connections to mirrors
            load = Load(lab, requests=1000, rate=200, connections=8, stay=True)
            wait_for(lambda: v2.requests() > 50, 20, "requests at v2")
            begin, seen = time.monotonic(), 0
            for turn in range(size("devices")):
                seen += churn_once(lab, turn, attached if turn % 20 == 0 else None)
            seconds = time.monotonic() - begin
            # The kernel takes its time to remove namespaces, and the devices with them.
            wait_for(lambda: attached() == first, 120, "the attach points of before", step=0.2)
            result = load.end()
            held = check_holdings(agent, before, 16 * MIB)
            check_equal(entries(agent, "umbra_devices"), elements, "elements of umbra_devices")
            check_origin(load.records(), v1)
            check_mirror(load.records(), v2.records())
            agent.settled_ledger()
        check_nothing_left(objects)
        note(f"{size('devices')} veth pairs and {(size('devices') + 1) // 2} namespaces in {seconds:.1f} s, {seen} of "
             f"{(size('devices') + 19) // 20} that were looked at were attached; "
             f"{result['answered']} requests, 0 failed, {len(v2.records())} at v2; {held}")
        check(seen, "no new device was ever attached")


def churn_once(lab, turn, attached):
    """A pair of devices; in every second turn one of them in a namespace of its own, and both go with it."""
    name, place = f"c{turn}", f"{lab.ns('node')}x"
    if turn % 2:
        lab.ip("node", "link", "add", name, "up", "type", "veth", "peer", "name", f"{name}x")
        lab.ip("node", "link", "set", f"{name}x", "up")
    else:
        run(["ip", "netns", "add", place])
        lab.ip("node", "link", "add", name, "up", "type", "veth", "peer", "name", "eth0", "netns", place)
        run(["ip", "-n", place, "link", "set", "eth0", "up"])
    try:
        if attached:
            wait_for(lambda: name in attached(), 20, f"the program on {name}")
    finally:
        if turn % 2:
            lab.ip("node", "link", "del", name)
        else:
            run(["ip", "netns", "del", place])
    return bool(attached)


if __name__ == "__main__":
    main()
