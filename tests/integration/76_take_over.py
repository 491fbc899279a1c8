#!/usr/bin/python3
"""`umbra run --take-over`: a newer agent takes the place of the running one under load. v1's clients notice nothing, v2
gets exact requests, none twice; what was changed at run time goes on. What goes wrong: 76_take_over_trouble.py."""
import os

import compare
import kernel_state
import rules
from agent import Agent, binary
from case import Skip, case, check, check_equal, check_none, main, need_command, note
from lab import PYTHON, Lab, wait_for
from peers import Driver, Recorder, check_unharmed, wait_requests
from scene import setup_agent
from upgrade import Asking, FeedPlayer, await_end, door_of, figures, held, kinds, successor
from upgrade_scene import LOAD, gone, under_load


@case("tcx under load: zero failed requests, exact copies, each connection goes on and loses two requests at most")
def under_load_tcx():
    if not kernel_state.has_tcx():
        raise Skip("the kernel has no tcx")
    with under_load() as stage:
        old = stage.agent
        before, mine = held(old), kernel_state.tcx(stage.lab)
        new = stage.upgrade()
        after, theirs = held(new), kernel_state.tcx(stage.lab)
        wait_for(lambda: kinds(held(new)) == kinds(before), 10, f"as many programs, maps and links as {kinds(before)}")
        check_equal(kinds(before & after), {"prog": 0, "map": 1, "link": 2}, "what both hold: links and umbra_own")
        links = {i for k, i in before if k == "link"}
        check_equal({i for k, i in after if k == "link"}, links, "the links")
        gone(before - after)
        check_equal(*[{(d, h): len(p) for d, hooks in tcx.items() for h, p in hooks.items() if not d.startswith("umb")}
                      for tcx in (theirs, mine)], "programs per hook")
        known = figures(new)
        check_equal((known["pid"], known["blind"], known["hooks"]), (old.child.pid, 0, len(links)), "pid, blind, hooks")
        told = new.json("status")["took_over"]
        check_equal((told["pid"], told["hooks"], told["switch_us"], told["blind_us"]),
                    (known["pid"], known["hooks"], known["switch"], 0), "what status says")
        check("took over from pid" in new.call("status").stdout, "status keeps it quiet")
        check("taken over by" in old.log() and str(new.child.pid) in old.log(), "the old one does not say by whom")
        # One teaches the new one where both ends stand; the one before it is lost, too, if it was under way. When the
        # machine stands still between two links there may be more.
        stage.finish(most_lost=2 if known["switch"] < 2000 else 4)
        stage.check_books()
        note(f"{known}")


@case("clsact under load: the same, with a short blind time that is said; afterwards the node is as before")
def under_load_clsact():
    with under_load("--attach", "clsact") as stage:
        new = stage.upgrade()
        known = figures(new)
        check(known["blind"] > 0, f"blind for nothing? {known}")
        stage.finish(most_lost=2 if known["blind"] < 2000 else None)
        stage.check_books()
        note(f"{known}")
        new.stop()
        left = [line for line in stage.lab.exec("node", ["tc", "qdisc"]).stdout.splitlines() if "clsact" in line]
        check_equal(left, [], "qdiscs that are left")


@case("from tcx to clsact and back: never both, the figures say how long nobody cloned")
def between_hooks():
    if not kernel_state.has_tcx():
        raise Skip("the kernel has no tcx")
    with under_load() as stage:
        for attach in ("clsact", "tcx"):
            new = stage.upgrade("--attach", attach)
            check_equal(new.json("status")["hook"], attach, "hook")
            note(f"to {attach}: {figures(new)}")
        stage.finish()
        stage.check_books()


@case("programs of others keep their places: one before ours, one behind, the same before and after")
def order_stays():
    if not kernel_state.has_tcx():
        raise Skip("the kernel has no tcx")
    with under_load() as stage:
        for name, args in (("behind", ()), ("ahead", ("first",))):
            stage.lab.spawn("node", [PYTHON, kernel_state.__file__, "to-v1", *args], name)
            wait_for(lambda: "attached" in stage.lab.log(name), 5, "the foreign program")
        before = kernel_state.tcx(stage.lab)["to-v1"]
        stage.upgrade()
        stage.upgrade()
        after = kernel_state.tcx(stage.lab)["to-v1"]
        for hook in ("ingress", "egress"):
            check_equal(len(before[hook]), 3, f"programs at {hook}")
            check_equal([after[hook][0], after[hook][2], len(after[hook])], [before[hook][0], before[hook][2], 3],
                        f"the others' programs at {hook}, and how many there are")
            check(after[hook][1] != before[hook][1], f"the old one's program is still at {hook}")
        stage.finish()


@case("a pause, by whom and why, and a rule of run time are carried; resume mirrors by both")
def carried():
    with under_load() as stage:
        old = stage.agent
        other = rules.write(stage.lab, "other.yaml", rules.mirror_rule("other", 99, "v2"))
        old.call("apply", "-f", other)
        old.call("pause", "--reason", "the newer one comes")
        paused = old.json("status")["paused"]
        stage.agents.append(successor(old))
        status = stage.agent.json("status")
        check_equal((status["paused"], status["clone_share"], status["attach_points"]), (paused, 0, []),
                    "pause, share and devices")
        check_equal({r["rule"] for r in status["rules"]}, {f"default/{rules.POST_RULE_NAME}", "default/other"}, "rules")
        before = stage.v2.counts()["requests"]
        served = stage.v1.counts()["requests"]
        wait_for(lambda: stage.v1.counts()["requests"] >= served + 100, 20, "100 more requests at v1")
        check_equal(stage.v2.counts()["requests"], before, "requests at v2 while paused")
        stage.agent.call("resume")
        stage.mirrors()
        stage.finish()
        check(stage.agent.rule(stage.ledger, "other")["mirrored"]["requests"] > 0, "the rule of run time does nothing")


@case("files of the new one replace what has the same name, the rest of the old one's documents stays")
def files_over_documents():
    with Lab(mirrors=2) as lab:
        pods = {"v1": [[lab.addr("v1")]], "v2": [[lab.addr("v2")]], "v3": [[lab.addr("v2b")]]}
        registry = rules.write(lab, "registry.yaml", rules.registry(pods))
        one = rules.write(lab, "one.yaml", rules.mirror_rule("one", 11, "v2"))
        two = rules.write(lab, "two.yaml", rules.mirror_rule("two", 5, "v2"))
        anew = rules.write(lab, "anew.yaml", rules.mirror_rule("one", 11, "v3"))
        bad = rules.write(lab, "bad.yaml", "kind: RouteRule\nspec: 7\n")
        with Agent(lab, registry, one) as old:
            old.call("apply", "-f", two)
            argv = [binary(), "run", "--take-over", "--socket", old.socket, "-f", bad]
            check_equal(lab.exec("node", argv, check=False).returncode, 3, "exit code with an invalid file")
            check_equal(len(old.json("get", "rules")), 2, "the old one's rules")
            with successor(old, files=[anew]) as new:
                rows = {r["rule"]: r["mirror"] for r in new.json("get", "rules")}
                check_equal(set(rows), {"default/one", "default/two"}, "rules")
                check("v3" in rows["default/one"] and "v2" in rows["default/two"], f"mirrors {rows}")


@case("the trip's level is carried")
def trip_carried():
    args = ("--trip", "off", "--trip", "after=1s", "--trip", "recover=10m", "--trip", "volume=1", "--trip", "memory=1M")
    with under_load(*args) as stage:
        wait_for(lambda: stage.agent.json("status")["clone_share"] == 0, 60, "the trip's pause", step=0.2)
        before = stage.agent.json("status")
        stage.agents.append(successor(stage.agent, *args))
        after = stage.agent.json("status")
        check_equal((after["paused"], after["clone_share"]), (before["paused"], 0), "paused, share")
        check_equal((after["trip"]["level"], after["trip"]["last"]), (4, before["trip"]["last"]), "level, last step")
        check_unharmed(stage.load.end())


@case("the control socket answers every client while one agent takes over from the other, three times")
def nobody_refused():
    with under_load() as stage:
        with Asking(stage.agent) as asking:
            for _ in range(3):
                stage.upgrade()
        check_none(asking.errors, f"of {asking.answers} questions")
        check(asking.answers > 20, f"only {asking.answers} answers")
        stage.finish()
        note(f"{asking.answers} answers")


@case("a mirror that is an origin itself: what the old one still sends there is not mirrored again")
def loop_guard():
    with Lab(mirrors=2) as lab:
        v1, v2, v2b = (Recorder(lab, role) for role in ("v1", "v2", "v2b"))
        entries = [rules.service_entry(f"{name}.test", [("v1", lab.addr(role), 8080)])
                   for name, role in (("first", "v1"), ("middle", "v2"), ("last", "v2b"))]
        path = rules.write(lab, "chain.yaml", rules.documents(
            *entries, rules.rule_between("a", ("first.test", "v1"), ("middle.test", "v1")),
            rules.rule_between("b", ("middle.test", "v1"), ("last.test", "v1"))))
        old = Agent(lab, path).start()
        load = Driver(lab, lab.addr("v1"), seconds=120, **LOAD)
        wait_requests([v2], 100, timeout=20)
        v2.mode("slow", seconds=0.3)  # so that the old one has connections to v2 at work when it is taken over
        with successor(old) as new:
            before = v2.counts()["requests"]
            wait_for(lambda: v2.counts()["requests"] >= before + 60, 20, "more requests at v2")
            v2.mode("normal")
            check_unharmed(load.end())
            ledger = new.settled_ledger(timeout=30)
            check_equal(v2b.counts()["requests"], 0, "requests that were mirrored from the mirror")
            check(new.rule(ledger, "a")["mirrored"]["requests"] > 0, "nothing was mirrored")
            check(v1.counts()["requests"] > 0, "no traffic")


@case("a cluster: the new one waits for the first complete picture, then takes over with the cluster's rules")
def picture_comes():
    with under_load() as stage:
        old, door = stage.agent, stage.lab.dir / "feed.sock"
        new = successor(old, "--controller-socket", door, start=False)
        new.launch()
        wait_for(lambda: "about to be taken over" in old.log() and door.exists(), 30, "the offer")

        def objects(*found):
            return [{**o, "metadata": {**o["metadata"], "namespace": "default"}} for o in found]
        entries = objects(rules.service_entry("a.test", [("v1", stage.lab.addr("v1"), 8080)]),
                          rules.service_entry("b.test", [("v2", stage.lab.addr("v2"), 8080)]))
        rule = objects(rules.rule_between("of-the-cluster", ("a.test", "v1"), ("b.test", "v2"), precedence=99))
        with FeedPlayer(door) as feed:
            feed.send(reset=True, objects=entries)
            stage.mirrors(more=200)
            check_equal((old.child.poll(), "took over" in new.log()), (None, False), "taken over without the picture")
            feed.send(synced=True, objects=rule)
            stage.agents.append(new)
            wait_for(new.is_ready, 30, "the new one")
            await_end(old)
            stage.mirrors()
            check_equal({r["rule"] for r in new.json("get", "rules")},
                        {f"default/{rules.POST_RULE_NAME}", "default/of-the-cluster"}, "rules")
            stage.finish()
            check(new.rule(stage.ledger, "of-the-cluster")["mirrored"]["requests"] > 0, "its rule does nothing")
            stage.check_books()


@case("the exporter: the new one's begins when the old one's has left the port, and serves")
def exporter():
    need_command("curl")
    args = ("--metrics", "127.0.0.1:9464", "--group", "65530")
    with Lab() as lab:
        old = setup_agent(lab, *args).start()

        def serves():
            return lab.exec("node", ["curl", "-fsS", "http://127.0.0.1:9464/healthz"], check=False).returncode == 0
        wait_for(serves, 15, "the old one's exporter", step=0.2)
        with successor(old, *args) as new:
            wait_for(serves, 15, "the new one's exporter", step=0.2)
            check("the exporter runs" in new.log(), "who serves?")


@case("twenty take-overs in a row: the same programs, maps, links and descriptors each time; nothing is left behind")
def twenty():
    with Lab() as lab:
        v1, v2 = Recorder(lab, "v1"), Recorder(lab, "v2")
        served = kernel_state.dump(lab)
        agent, switches = setup_agent(lab).start(), []
        ids = held(agent)
        wanted, most = kinds(ids), None

        def descriptors():
            return len(os.listdir(f"/proc/{agent.child.pid}/fd"))
        for turn in range(20):
            agent = successor(agent, name=f"turn{turn}")
            ids |= held(agent)
            # A generation that is being written has maps of its own for a moment.
            wait_for(lambda: kinds(held(agent)) == wanted, 10, f"{wanted} held by successor {turn}")
            most = most or descriptors()
            wait_for(lambda: descriptors() <= most, 10, f"at most {most} descriptors, not {descriptors()}")
            switches.append(figures(agent)["switch"])
        load = Driver(lab, lab.addr("v1"), requests=200, connections=4)
        check_unharmed(load.result())
        wait_requests([v2], v1.counts()["requests"])
        check_none(compare.identical(load.sent(), v2.requests(), "v2"), "the mirror's requests")
        check_equal(agent.stop(), 0, "exit code of the last one")
        gone(ids)
        check_none(kernel_state.differences(served, kernel_state.dump(lab)), "left behind")
        check(not agent.socket.exists() and not os.path.exists(door_of(agent)), "a socket's file was left behind")
        note(f"each holds {wanted} and {most} descriptors; switches {sorted(switches)} us")


if __name__ == "__main__":
    main()
