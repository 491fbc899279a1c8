#!/usr/bin/python3
"""The whole agent on Kubernetes: objects written to a real API server, packets between namespaces that are its pods."""
import integration  # noqa: F401
import os
import signal
import time

import objects
from agent_scene import AgentScene
from case import Skip, case, check, check_equal, main, need_command, note
from lab import wait_for
from peers import check_exact_ledger, check_mirrored, drive

QUIET = 0.7  # seconds in which a request that must not be mirrored would have been


def scene(*args, **options):
    if os.geteuid() != 0:
        raise Skip("network namespaces need root")
    need_command("curl", "ip")
    return AgentScene(*args, **options)


@case("the post's rule applied by kubectl: every request at v2, byte by byte; deleted: nothing more")
def post_rule():
    with scene() as s:
        s.ask()
        time.sleep(QUIET)
        check_equal(s.count("v2"), 0, "requests at v2 without a rule")
        s.recorder("v1").do("reset")
        s.apply_rule()
        s.wait_row(origins=1, mirrors=1)
        sent, _ = drive(s.lab, s.lab.addr("v1"), requests=300)
        everything = check_mirrored(sent, s.recorder("v1"), [s.recorder("v2")])
        check_exact_ledger(s.agent, s.recorder("v1"), everything)
        s.delete_rule()
        s.wait_no_row()
        before = s.count("v2")
        s.ask()
        time.sleep(QUIET)
        check_equal(s.count("v2"), before, "requests at v2 after the rule was deleted")


@case("a pod that becomes ready is in the plan within a second, and its first connection is mirrored")
def new_pod():
    with scene(mirrors=2) as s:
        s.apply_rule()
        s.wait_row(origins=1, mirrors=1)
        role = s.lab.mirrors[1]
        took = []
        for turn in range(3):
            begin = time.monotonic()
            s.add_pod(role, "v1")
            s.wait_row(origins=2, mirrors=1, timeout=10)
            took.append(time.monotonic() - begin)
            before = s.count("v2")
            s.ask(role, f"/first-{turn}")
            s.wait_count("v2", before + 1)
            s.remove_pod(role)
            s.wait_row(origins=1, mirrors=1)
        note("from the first write to the rule's new plan: " + ", ".join(f"{t * 1e3:.0f} ms" for t in took) +
             " (pod, status and slice are written in that time)")
        check(min(took) < 1, f"never within a second: {took}")


@case("a pod that is not ready is mirrored as soon as it serves, and is no mirror until it is ready")
def not_ready():
    with scene(mirrors=2) as s:
        s.apply_rule()
        s.wait_row(origins=1, mirrors=1)
        second = s.lab.mirrors[1]
        s.add_pod(second, "v2", ready=False)
        time.sleep(QUIET)
        s.wait_row(origins=1, mirrors=1)
        for turn in range(4):
            s.ask(path=f"/n{turn}")
        s.wait_count("v2", 4)
        check_equal(s.count(second), 0, "requests at a mirror that is not ready")
        s.set_ready(second)
        s.wait_row(origins=1, mirrors=2)
        for turn in range(8):
            s.ask(path=f"/r{turn}")
        wait_for(lambda: s.count("v2") + s.count(second) == 12, 10, "12 requests at the mirrors together")
        check(s.count(second) > 0, "the mirror that became ready got none of 8 connections")


@case("a terminating pod stays an origin, and is a mirror no more")
def terminating():
    with scene(mirrors=2) as s:
        second = s.lab.mirrors[1]
        s.add_pod(second, "v2")
        s.apply_rule()
        s.wait_row(origins=1, mirrors=2)
        s.terminate("v1")
        s.terminate(second)
        s.wait_row(origins=1, mirrors=1)
        for turn in range(6):
            s.ask(path=f"/t{turn}")
        s.wait_count("v2", 6)
        check_equal(s.count(second), 0, "requests at a mirror that is terminating")


@case("the API goes away: mirroring goes on; what changed meanwhile is taken once it is back")
def api_away():
    with scene(mirrors=2) as s:
        second = s.lab.mirrors[1]
        s.apply_rule()
        s.wait_row(origins=1, mirrors=1)
        s.proxy.refuse(True)
        for turn in range(5):
            s.ask(path=f"/away{turn}")
        s.wait_count("v2", 5)
        s.add_pod(second, "v2")
        time.sleep(3)
        s.wait_row(origins=1, mirrors=1)
        s.ask(path="/still")
        s.wait_count("v2", 6)
        s.proxy.heal()
        s.wait_row(origins=1, mirrors=2, timeout=60)


@case("the API server is killed and comes again under traffic: no request is lost to v1, all of them reach v2")
def api_killed():
    with scene() as s:
        own = s.stage.cluster.need_own()
        s.apply_rule()
        s.wait_row(origins=1, mirrors=1)
        own.stop()
        sent, _ = drive(s.lab, s.lab.addr("v1"), requests=200)
        everything = check_mirrored(sent, s.recorder("v1"), [s.recorder("v2")])
        check_exact_ledger(s.agent, s.recorder("v1"), everything)
        own.start()
        s.delete_rule()
        s.wait_no_row(60)


@case("the agent starts while the API is away and mirrors once it has heard of pods and rules")
def api_later():
    with scene() as s:
        s.apply_rule()
        s.wait_row(origins=1, mirrors=1)
        s.proxy.refuse(True)
        s.agent.stop()
        s.agent.start(30)
        s.ask(path="/early")
        time.sleep(QUIET)
        check_equal(s.count("v2"), 0, "requests at v2 before the API was heard")
        s.proxy.heal()
        s.wait_row(origins=1, mirrors=1, timeout=60)
        s.ask(path="/late")
        s.wait_count("v2", 1)


@case("a MirrorPolicy by the API takes effect and goes again")
def policy():
    with scene() as s:
        s.apply_rule()
        s.wait_row(origins=1, mirrors=1)
        s.ask(path="/with")
        s.wait_count("v2", 1)
        objects.put(s.api, "mirrorpolicies", s.ns, objects.mirror_policy(percent=0))
        wait_for(lambda: _quiet(s), 20, "the policy in force")
        s.api.delete("mirrorpolicies", s.ns, "httpbin")
        wait_for(lambda: not _quiet(s), 20, "mirroring without the policy")


def _quiet(s):
    """Whether a request is not mirrored."""
    before = s.count("v2")
    s.ask(path=f"/probe{time.monotonic_ns()}")
    time.sleep(QUIET)
    return s.count("v2") == before


@case("kubectl get shows the rule as accepted, resolved and programmed, and the reason when it is not")
def status():
    with scene() as s:
        s.apply_rule()
        s.wait_row(origins=1, mirrors=1)

        def states():
            found = s.api.get("routerules", s.ns, objects.RULE_NAME).get("status", {}).get("conditions", [])
            return {c["type"]: (c["status"], c["reason"], c["message"]) for c in found}
        wait_for(lambda: {k: v[0] for k, v in states().items()} ==
                 {"Accepted": "True", "ResolvedRefs": "True", "Programmed": "True"}, 60, "three conditions True", step=0.3)
        note(s.stage.cluster.kubectl("get", "routerules", "-n", s.ns).stdout.splitlines()[1])
        s.remove_pod("v2")
        s.wait_row(origins=0, mirrors=0)
        objects.put(s.api, "routerules", s.ns, objects.route_rule(service_name="nowhere"))
        wait_for(lambda: states().get("ResolvedRefs", ("",))[0] == "False", 60, "ResolvedRefs False", step=0.3)
        kind, reason, message = states()["ResolvedRefs"]
        note(f"{kind} {reason}: {message}")
        check("nowhere" in message, f"the message does not name the service: {message}")


@case("umbra run --kubernetes: the loader starts a controller without privileges, and another one when that is killed")
def one_command():
    with scene(own_controller=True) as s:
        s.apply_rule()
        s.wait_row(origins=1, mirrors=1)
        s.ask()
        s.wait_count("v2", 1)

        def controller():
            found = [pid for pid in s.agent.pids() if _status(pid)["Name"] == "umbra-kube"]
            return found and found[0]
        pid = wait_for(controller, 5, "the controller's process")
        status = _status(pid)
        check_equal((status["Uid"].split()[1], int(status["CapPrm"], 16), status["NoNewPrivs"]), ("65534", 0, "1"),
                    "user, capabilities and new privileges of the controller")
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: controller() not in (pid, []), 10, "another controller")
        s.remove_pod("v2")
        s.wait_row(origins=0, mirrors=0)
        check_equal(s.agent.stop(), 0, "the agent's exit code")


def _status(pid):
    """/proc/PID/status by names; nothing of a process that is gone."""
    try:
        with open(f"/proc/{pid}/status") as lines:
            return dict(line.rstrip("\n").split(":\t", 1) for line in lines if ":\t" in line)
    except OSError:
        return {"Name": ""}


@case("after the agent nothing is left in the kernel")
def nothing_left():
    with scene() as s:
        s.apply_rule()
        s.wait_row(origins=1, mirrors=1)
        s.agent.stop()
        s.agent.check_gone()


if __name__ == "__main__":
    main()
