#!/usr/bin/python3
"""Others' programs and filters on our devices: the same, and in the same order, before, during and after our attaching,
reloading and ending, however that comes about. What a killed agent leaves is cleaned by the next one, nothing else."""
import json

import kernel_state
import rules
from battery import Load, Stand, check_mirror
from case import Skip, case, check, check_equal, main, note
from lab import PYTHON, Lab, wait_for
from scene import setup_agent

DEVICES = ("to-client", "to-v1", "to-v2")  # ports of the bridge: the agent attaches to all of them
NEVER = ("match", "ip", "dst", "192.0.2.1/32", "flowid", "1:1")
FOREIGN_FILTERS = (  # device, hook, priority, protocol, what
    ("to-client", "ingress", 1, "ip", ("u32", *NEVER)),
    ("to-client", "ingress", 7, "all", ("bpf", "bytecode", "1,6 0 0 0", "flowid", "1:2")),
    ("to-client", "ingress", 30, "ip", ("u32", *NEVER)),
    ("to-client", "egress", 2, "all", ("bpf", "bytecode", "1,6 0 0 0", "flowid", "1:3")),
    ("to-client", "egress", 60000, "ip", ("u32", *NEVER)),
)


def add_filter(lab, device, hook, priority, protocol, what):
    done = lab.exec("node", ["tc", "filter", "add", "dev", device, hook, "prio", str(priority), "protocol", protocol,
                             *what], check=False)
    if done.returncode:
        raise Skip(f"no foreign filter can be made: {done.stderr.strip()}")


def is_ours(entry):
    return entry.get("options", {}).get("bpf_name", "").startswith("umbra_")


def filters(lab, device, hook):
    """The list of `tc -j filter show` without ours, and how many are ours. One entry without options stands for each
    priority, before its filters."""
    text = lab.exec("node", ["tc", "-j", "filter", "show", "dev", device, hook], check=False).stdout
    entries = json.loads(text or "[]")
    theirs = {e["pref"] for e in entries if "options" in e and not is_ours(e)}
    return [e for e in entries if e["pref"] in theirs and not is_ours(e)], sum(map(is_ours, entries))


def foreign_state(lab, devices, theirs):
    """What is not ours on the devices: filters and qdiscs as tc prints them, others' tcx programs in order."""
    programs = kernel_state.tcx(lab)
    out = {}
    for device in devices:
        for hook in ("ingress", "egress"):
            out[f"filters {device} {hook}"] = filters(lab, device, hook)[0]
            out[f"tcx {device} {hook}"] = [i for i in programs[device][hook] or [] if i in theirs]
        out[f"qdiscs {device}"] = json.loads(lab.exec("node", ["tc", "-j", "qdisc", "show", "dev", device]).stdout)
    return out


def own_filters(lab):
    return sum(filters(lab, device, hook)[1] for device in DEVICES for hook in ("ingress", "egress"))


def own_programs(lab, theirs):
    return sum(i not in theirs for hooks in kernel_state.tcx(lab).values() for ids in hooks.values() for i in ids or [])


class Scene:
    def __init__(self, lab, attach):
        self.lab, self.attach = lab, attach
        self.v1, self.v2 = Stand(lab, "v1"), Stand(lab, "v2")
        for device in ("to-client", "to-v1"):  # to-v1's stays empty, to-v2 has none
            lab.exec("node", ["tc", "qdisc", "add", "dev", device, "clsact"])
        for entry in FOREIGN_FILTERS:
            add_filter(lab, *entry)
        self.theirs, self.holders = set(), 0
        self.add_program("to-client")
        self.agent = setup_agent(lab, "--attach", attach)
        self.events = []
        self.devices = DEVICES if attach == "tcx" else ("to-client", "to-v1")
        self.before = foreign_state(lab, self.devices, self.theirs)

    def add_program(self, device, *place):
        """A tcx program of somebody else's, last, or first."""
        if not kernel_state.has_tcx():
            return
        was = {i for hooks in kernel_state.tcx(self.lab).values() for ids in hooks.values() for i in ids}
        self.holders += 1
        name = f"foreign-{self.holders}"
        self.lab.spawn("node", [PYTHON, kernel_state.__file__, device, *place], name)
        wait_for(lambda: "attached" in self.lab.log(name), 10, "a foreign program")
        self.theirs |= {i for hooks in kernel_state.tcx(self.lab).values() for ids in hooks.values() for i in ids} - was

    def own(self):
        return own_programs(self.lab, self.theirs) if self.attach == "tcx" else own_filters(self.lab)

    def same(self, event, ours):
        """Nothing of theirs has changed; of ours there is something, or nothing."""
        try:
            wait_for(lambda: bool(self.own()) == ours, 5, "our own programs")
        except Exception:
            check_equal(self.own(), "some" if ours else 0, f"programs or filters of ours after '{event}'")
        now = foreign_state(self.lab, self.devices, self.theirs)
        check_equal(now, self.before, f"what is others', after '{event}'")
        self.events.append(event)

    def check_mirrors(self):
        """Everything is mirrored, although others' programs run before and after ours."""
        count = self.v2.requests()
        load = Load(self.lab, requests=200, rate=500, connections=4, per_connection=0)
        load.result()
        wait_for(lambda: self.v2.requests() >= count + 200, 20, "the requests at v2")
        check_mirror(load.records(), self.v2.records()[count:])

    def lives(self):
        agent = self.agent
        agent.start()
        self.same("attach", True)
        self.check_mirrors()
        agent.call("apply", "-f", "-", input_text=rules.mirror_rule("another", 99, "v2"))
        self.same("reload", True)
        agent.call("pause")
        self.same("pause", False)
        agent.call("resume")
        self.same("resume", True)
        agent.kill_main()
        self.same("SIGKILL", False)
        agent.start()
        self.same("the next start", True)
        agent.stop()
        self.same("SIGTERM", False)


@case("tcx: foreign programs before and after ours, foreign clsact filters and qdiscs: the same through a whole life")
def tcx_mode():
    if not kernel_state.has_tcx():
        raise Skip("the kernel has no tcx")
    with Lab(layout="bridge") as lab:
        scene = Scene(lab, "tcx")
        scene.lives()
        with scene.agent as agent:  # now others come while we are there, in front of us and behind
            scene.add_program("to-client", "first")
            scene.add_program("to-client")
            scene.before = foreign_state(lab, scene.devices, scene.theirs)
            order = kernel_state.tcx(lab)["to-client"]["ingress"]
            mine = [i for i in order if i not in scene.theirs]
            check(len(mine) == 1 and order[0] in scene.theirs and order[-1] in scene.theirs,
                  f"ours is not between theirs: {order}, theirs {scene.theirs}")
            scene.same("others around us", True)
            scene.check_mirrors()
            agent.call("apply", "-f", "-", input_text=rules.mirror_rule("another", 99, "v2"))
            check_equal(kernel_state.tcx(lab)["to-client"]["ingress"], order, "the order after a reload")
            agent.kill_all()
            scene.same("SIGKILL to all", False)
        scene.agent.start()
        scene.same("the next start", True)
        scene.agent.stop()
        scene.same("SIGTERM", False)
        note(f"tcx: {len(scene.theirs)} foreign programs, {len(FOREIGN_FILTERS)} foreign filters, the same after: "
             f"{', '.join(scene.events)}")


@case("clsact: the same; a qdisc that is not empty stays; what a killed agent and its janitor leave is cleaned")
def clsact_mode():
    with Lab(layout="bridge") as lab:
        scene = Scene(lab, "clsact")
        scene.lives()
        agent = scene.agent
        agent.start()
        agent.kill_all()
        left = own_filters(lab)
        check(left, "a killed agent without janitor left nothing: there is nothing to clean")
        scene.same("SIGKILL to agent and janitor", True)
        agent.start()
        scene.same("the start after it", True)
        check_equal(own_filters(lab), left, "filters of ours, with those of the killed agent gone")
        scene.check_mirrors()
        add_filter(lab, "to-v2", "ingress", 3, "ip", ("u32", *NEVER))  # on a qdisc that the agent has made
        theirs = filters(lab, "to-v2", "ingress")[0]
        agent.stop()
        scene.same("SIGTERM", False)
        check_equal(filters(lab, "to-v2", "ingress")[0], theirs, "the foreign filter on the qdisc that was ours")
        qdiscs = json.loads(lab.exec("node", ["tc", "-j", "qdisc", "show", "dev", "to-v2"]).stdout)
        check("clsact" in [q["kind"] for q in qdiscs], f"a qdisc that is not empty was deleted: {qdiscs}")
        note(f"clsact: {len(FOREIGN_FILTERS)} foreign filters, {left} of a killed agent cleaned, the same "
             f"after: {', '.join(scene.events)}")


if __name__ == "__main__":
    main()
