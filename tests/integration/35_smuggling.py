#!/usr/bin/python3
"""Requests that two servers may read differently: v2, whatever its own reading, sees as many requests as v1, or nothing
of them, and that is counted. Servers: parsing_server.py, requests: smuggling_plan.py.
"""
import contextlib
import json
import re

import smuggling_plan
from case import case, check, check_equal, check_none, main, note
from lab import HERE, PYTHON, Lab, LabError, wait_for
from scene import setup_agent

PORT = 8080
REFUSALS = {"http_ambiguous", "http_invalid", "http_head_size"}
CUT = {"client_closed", "client_reset"}  # a request that also v1 waited for in vain


class Judge:
    """A parsing server and its record."""

    def __init__(self, lab, role, policy):
        self.lab, self.path = lab, lab.dir / f"record-{role}-{policy}"
        self.child = lab.spawn(role, [PYTHON, HERE / "parsing_server.py", policy, lab.addr(role), PORT, self.path],
                               f"{role}-{policy}")
        lab.wait_port(role, lab.addr(role), PORT)

    def entries(self):
        return [json.loads(line) for line in self.path.read_text().splitlines()]

    def by_row(self):
        """Row's name -> its requests in order: [mark (a, b, c, evil), bytes of the body, refused]."""
        out = {}
        for entry in self.entries():
            for name, mark in re.findall(r"(r\d{3})-(a|b|c|evil)", entry.get("line", ""))[:1]:
                out.setdefault(name, []).append([mark, entry["body"], bool(entry["refused"])])
        return out

    def connections(self):
        """The bytes of each connection that has ended."""
        return [bytes.fromhex(e["raw"]) for e in self.entries() if "raw" in e]


def send_all(lab, rows, role="v1"):
    wanted = json.dumps([[name, data.hex()] for _, name, data in rows])
    done = lab.exec("client", [PYTHON, HERE / "hostile_client.py", lab.addr(role), PORT], input=wanted, timeout=60)
    return json.loads(done.stdout)


@case("the servers disagree about these requests as servers do: no agent is involved")
def instruments_disagree():
    rows = smuggling_plan.rows()
    check(len(rows) >= 100, f"{len(rows)} rows")
    found = {}
    with Lab() as lab:
        for policy in ("strict", "chunks", "lengths"):
            judge = Judge(lab, "v1", policy)
            check_equal(set(send_all(lab, rows).values()), {200}, f"answers of {policy} to innocent requests")
            found[policy] = judge.by_row()
            lab.kill(judge.child)
    differ = {pair: sum(found[pair[0]].get(name) != found[pair[1]].get(name) for _, name, _ in rows)
              for pair in (("strict", "chunks"), ("strict", "lengths"), ("chunks", "lengths"))}
    note(f"rows with different readings: {differ}")
    check(min(differ.values()) >= 5, f"the servers agree too much: {differ}")
    for policy in ("chunks", "lengths"):
        smuggled = sum(any(entry[0] == "evil" for entry in entries) for entries in found[policy].values())
        check(smuggled >= 3, f"{policy} was smuggled only {smuggled} requests")


def judge_row(name, data, v1, v2, pieces):
    """What became of a row at v2: absent | verbatim | mirrored, and a complaint or None. v1, v2: lists of requests on
    the row's connection, pieces: the bytes of v2's connections that hold the row's name.
    """
    whole = data + b"GET /%s-b HTTP/1.1\r\nHost: v1\r\n\r\n" % name.encode()
    if whole in pieces:
        return "verbatim", None  # in one piece as v1 got it, not cut into requests by anyone on the way
    touched = any(f"{name}-{mark}".encode() in piece for piece in pieces for mark in ("a", "evil"))
    if not touched:
        innocent = v2 in ([], [["b", 0, False]])
        return "absent", None if innocent else f"nothing was sent to v2, but it saw {v2} where v1 saw {v1}"
    same = all(e[0] == o[0] and (e[1] == o[1] or e[2] or o[2]) for e, o in zip(v2, v1))
    more = [e[0] for e in v2[len(v1):]]  # a v1 that refuses closes: what its kernel had taken may be mirrored
    if more and not (more == ["b"] and v1 and v1[-1][2]):
        same = False
    return "mirrored", None if same and v2 else f"v1 saw {v1}, v2 {v2}"


def judged(rows, v1, v2):
    """Complaints about rows; titles by what became of them."""
    at_v1, at_v2, connections = v1.by_row(), v2.by_row(), v2.connections()
    complaints, fates = [], {"absent": [], "verbatim": [], "mirrored": []}
    for title, name, data in rows:
        came = sum(entry[0] == "c" for entry in at_v2.get(name, []))
        if came != 1:
            complaints.append(f"{title}: the innocent request came {came} times")
        first, second = ([e for e in at.get(name, []) if e[0] != "c"] for at in (at_v1, at_v2))
        fate, complaint = judge_row(name, data, first, second, [c for c in connections if f"{name}-".encode() in c])
        fates[fate].append(title)
        if complaint:
            complaints.append(f"{title}: {complaint}")
    return complaints, fates


def smuggle(first, second):
    """v1 reads by one policy, v2 by another."""
    rows = smuggling_plan.rows()
    with Lab() as lab:
        v1, v2 = Judge(lab, "v1", first), Judge(lab, "v2", second)
        with setup_agent(lab, "--limit", "response_timeout=2s") as agent:
            answers = send_all(lab, rows)
            check_equal({name for name, status in answers.items() if status != 200}, set(), "innocent requests refused")
            with contextlib.suppress(LabError):  # the comparison names those that are missing
                wait_for(lambda: sum(any(e[0] == "c" for e in r) for r in v2.by_row().values()) == len(rows), 5,
                         "the innocent requests at v2", step=0.1)
            row = agent.rule(agent.settled_ledger())
        wait_for(lambda: len(v2.connections()) >= len(rows), 5, "the ends of v2's connections")
        complaints, fates = judged(rows, v1, v2)
    lost = {reason: d["bytes"] for reason, d in row["dropped"].items()}
    note(f"of {len(rows)}: { {fate: len(titles) for fate, titles in fates.items()} }, dropped: {lost}")
    for fate in ("verbatim", "mirrored"):
        note(f"{fate}: " + "; ".join(fates[fate]))
    check_none(complaints, f"v1 {first}, v2 {second}")
    check(set(lost) <= REFUSALS | CUT, f"dropped by other reasons: {row['dropped']}")
    gone = sum(len(data) for title, _, data in rows if title in fates["absent"])
    check(sum(lost.values()) >= gone, f"{gone} bytes of refused requests are absent at v2, counted: {lost}")
    check(len(fates["absent"]) >= 60, f"only {len(fates['absent'])} rows were refused")


@case("v1 believes lengths, v2 believes chunks")
def lengths_then_chunks():
    smuggle("lengths", "chunks")


@case("v1 believes chunks, v2 believes lengths")
def chunks_then_lengths():
    smuggle("chunks", "lengths")


@case("v1 takes anything, v2 is strict")
def lenient_then_strict():
    smuggle("chunks", "strict")


@case("v1 is strict, v2 takes anything")
def strict_then_lenient():
    smuggle("strict", "lengths")


if __name__ == "__main__":
    main()
