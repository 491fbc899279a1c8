"""The scene of a MirrorPolicy: recorders that keep bytes, a rule with a policy, requests by curl, heads to compare."""
import contextlib

import rules
from agent import Agent
from case import check
from lab import LabError, wait_for
from peers import Recorder, wait_requests

PORT = 8080
VERSIONS = {"v2": "v2", "v2b": "v3", "v2c": "v4"}  # role -> the label of its pod


class Scene:
    """v1, one mirror per version, an agent with the rule "mirror" to v2 and a policy. endpoints: all roles are v2."""

    def __init__(self, lab, spec, v2_args=(), endpoints=False, agent_args=()):
        self.lab = lab
        self.v1 = Recorder(lab, "v1", args=["--keep"])
        self.mirrors = [Recorder(lab, role, args=["--keep", *v2_args]) for role in lab.mirrors]
        self.v2 = self.mirrors[0]
        pods = {"v1": [[lab.addr("v1")]]}
        for role in lab.mirrors:
            pods.setdefault("v2" if endpoints else VERSIONS[role], []).append([lab.addr(role)])
        self.agent = Agent(lab, rules.write(lab, "registry.yaml", rules.registry(pods)),
                           rules.write(lab, "rule.yaml", rules.mirror_rule("mirror")),
                           rules.write(lab, "policy.yaml", rules.documents(rules.mirror_policy("mirror", **spec))),
                           args=agent_args)

    def curl(self, *args, path="/get", host=None):
        """Status of one curl run (several requests: several statuses)."""
        url = f"http://{host or self.lab.addr('v1')}:{PORT}{path}"
        done = self.lab.exec("client", ["curl", "-sS", "--max-time", "10", "-o", "/dev/null", "-w", "%{http_code}\n",
                                        *args, url])
        codes = done.stdout.split()
        check(codes and set(codes) == {"200"}, f"curl got {codes} for {args}")
        return codes

    def ask(self, *args, **options):
        """The same, and waits until the first mirror has got it too: its records are then in the order of asking."""
        wanted = self.v2.counts()["requests"] + len(self.curl(*args, **options))
        with contextlib.suppress(LabError):
            wait_for(lambda: self.v2.counts()["requests"] >= wanted, 5, "the request at v2")

    def row(self, number=1):
        """The ledger's row of the rule's first, second, ... mirror."""
        name = "mirror" if number == 1 else f"mirror#{number}"
        return self.agent.rule(self.agent.settled_ledger(timeout=30), name)

    def wait(self, count, mirror=None, timeout=10):
        return wait_requests([mirror or self.v2], count, timeout)

    def wait_heads(self, count, timeout=10):
        """Waits until the first mirror has seen so many heads, answered or not; returns how many it has."""
        with contextlib.suppress(LabError):
            wait_for(lambda: self.v2.counts()["heads"] >= count, timeout, "heads at v2", step=0.05)
        return self.v2.counts()["heads"]


def raw(recorder):
    return recorder.do("raw")["raw"]


def all_text(recorder):
    return "".join(connection["text"] for connection in raw(recorder))


def heads(recorder):
    """Lines of each request's head, of requests without a body, in the order of connections."""
    return [head.split("\r\n") for connection in raw(recorder) for head in connection["text"].split("\r\n\r\n")
            if head.split(" ")[0].isupper()]


def fields(head):
    """Name in lower case -> list of values."""
    out = {}
    for line in head[1:]:
        name, _, value = line.partition(":")
        out.setdefault(name.lower(), []).append(value.strip())
    return out


def changed(before, after):
    """Lines only in the first and lines only in the second head."""
    gone, new = list(before), []
    for line in after:
        if line in gone:
            gone.remove(line)
        else:
            new.append(line)
    return gone, new
