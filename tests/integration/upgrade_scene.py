"""The scene of a take-over: v1, v2, an agent and its successors, under clients that keep their connections."""
import contextlib

import compare
import kernel_state
from agent import Agent
from case import check_equal, check_none, note
from lab import Lab, LabError, wait_for
from peers import Driver, Recorder, check_unharmed, wait_requests
from scene import setup_agent
from upgrade import held, successor, totals

LOAD = {"connections": 16, "rate": 320, "mix": "single=1", "max_body": 20000}


class Stage:
    """v1, v2, an agent, and clients that keep their connections for the whole case."""

    def __init__(self, lab, *args, **load):
        self.lab, self.args = lab, args
        self.v1, self.v2 = Recorder(lab, "v1"), Recorder(lab, "v2")
        self.agents = [setup_agent(lab, *args).start()]
        self.load = Driver(lab, lab.addr("v1"), seconds=300, **{**LOAD, **load})
        wait_requests([self.v2], 100, timeout=20)

    @property
    def agent(self):
        return self.agents[-1]

    def mirrors(self, more=60, timeout=20):
        """New requests arrive at v2."""
        before = self.v2.counts()["requests"]
        wait_for(lambda: self.v2.counts()["requests"] >= before + more, timeout, f"{more} more requests at v2")

    def upgrade(self, *args, **options):
        self.agents.append(successor(self.agent, *(args or self.args), **options))
        self.mirrors()
        return self.agent

    def finish(self, most_lost=None):
        """Ends the load and compares; returns requests lost per client connection."""
        result = self.load.end()
        check_unharmed(result)
        check_equal(result["connects"], LOAD["connections"], "connections of the client")
        sent = self.load.sent()
        check_none(compare.identical(sent, self.v1.requests(), "v1"), "the origin's requests")
        self.ledger = self.agent.settled_ledger(timeout=30)
        arrived = self.v2.requests()
        check_none(compare.altered(sent, arrived, "v2"), "the mirror's requests")
        got = {entry[1] for entry in arrived}
        lost = [[record[0] for record in connection if record[0] not in got] for connection in sent]
        check_none([f"connection {i} did not go on" for i, c in enumerate(sent) if c[-1][0] not in got], "connections")
        if most_lost is not None:
            check_none([f"connection {i} lost {len(l)}: {l}" for i, l in enumerate(lost) if len(l) > most_lost],
                       f"connections that lost more than {most_lost}")
        note(f"{result['answered']} answered by v1, 0 failed, p99 {result['p99_ms']} ms; {len(arrived)} at v2, "
             f"{sum(map(len, lost))} lost by {sum(map(bool, lost))} of {len(sent)} connections")
        return lost

    def check_books(self):
        """The old ones' last totals and the last one's ledger: what they mirrored is what v2 got."""
        counted = sum(row["mirrored"] for old in self.agents[:-1] for row in totals(old).values())
        counted += sum(row["mirrored"]["requests"] for row in self.ledger["rules"])
        check_equal(counted, len(self.v2.requests()), "requests counted as mirrored, against those that v2 has")


@contextlib.contextmanager
def under_load(*args, **load):
    with Lab() as lab:
        stage = Stage(lab, *args, **load)
        try:
            yield stage
        except BaseException:
            for agent in stage.agents:
                print(f"    --- log of {agent.name} ---\n{agent.log()[-3000:]}")
            raise
        stage.agent.stop()


def check_same(agent, kept):
    """Its programs, maps and links are those; new ones would be of a change that is under way."""
    try:
        wait_for(lambda: held(agent) == kept, 5, "the agent's BPF objects as before")
    except LabError:
        check_equal(held(agent) ^ kept, set(), "BPF objects that came or went")


def gone(ids, timeout=5):
    """Fails unless these BPF objects go within the time."""
    probe = Agent.__new__(Agent)
    probe.ids = ids
    probe.check_gone(timeout)


def check_goes_on(stage, ours):
    """The old one mirrors with its own programs and links, takes changes again and can be taken over."""
    stage.mirrors()
    wait_for(lambda: kernel_state.tcx(stage.lab) == ours, 5, "the programs as before")
    check_equal(stage.agent.child.poll(), None, "exit code of the old one")
    stage.agent.call("apply", "-f", stage.agent.files[1])
