#!/usr/bin/python3
"""Redis, raw TCP from the SYN on: redis-benchmark fills v1, the mirror's redis ends with the same keys and values."""
from agent import dropped_requests
from case import case, check, check_equal, main, need_command, note
from lab import Lab, LabError, wait_for
from scene import setup_agent

PORT = 8080
COMMUTING = "set,get,incr,lpush,rpush,sadd,hset,mset"  # whose result does not depend on the order of connections


class Redis:
    """A redis-server on a role's address, without persistence."""

    def __init__(self, lab, role):
        self.lab, self.role = lab, role
        folder = lab.dir / f"redis-{role}"
        folder.mkdir()
        lab.spawn(role, ["redis-server", "--bind", lab.addr(role), "--port", PORT, "--save", "", "--appendonly", "no",
                         "--protected-mode", "no", "--enable-debug-command", "yes", "--dir", folder], role)
        lab.wait_port(role, lab.addr(role), PORT)

    def ask(self, *command):
        return self.lab.exec(self.role, ["redis-cli", "-h", self.lab.addr(self.role), "-p", PORT, *command]).stdout

    def figures(self):
        """Commands that changed or read something, by name, and the digest of all keys and values."""
        stats = {}
        for line in self.ask("INFO", "commandstats").splitlines():
            name, _, rest = line.partition(":calls=")
            if rest:
                stats[name.removeprefix("cmdstat_")] = int(rest.split(",")[0])
        own = {"info", "debug", "command", "command|docs"}
        return {"calls": {k: v for k, v in stats.items() if k not in own}, "keys": int(self.ask("DBSIZE")),
                "digest": self.ask("DEBUG", "DIGEST").strip()}


def same_data(v1, v2):
    """Waits until v2 has executed what v1 has, then compares everything."""
    def of(server):
        found = server.figures()
        found["calls"].pop("dbsize", None)
        return found
    wanted = of(v1)
    try:
        wait_for(lambda: of(v2)["calls"] == wanted["calls"], 15, "the same commands at v2", step=0.1)
    except LabError:
        pass  # the comparison says what differs
    check_equal(of(v2), wanted, "keys, values and executed commands at v2")
    return wanted


def benchmark(lab, *args):
    done = lab.exec("client", ["redis-benchmark", "-h", lab.addr("v1"), "-p", PORT, "-q", *args])
    check("rror" not in done.stdout + done.stderr, f"redis-benchmark says {done.stdout}{done.stderr}")


@case("redis-benchmark with random keys, pipelining and 20 connections: equal digests of all keys and values")
def benchmark_many_connections():
    need_command("redis-server", "redis-benchmark", "redis-cli")
    with Lab() as lab:
        v1, v2 = Redis(lab, "v1"), Redis(lab, "v2")
        with setup_agent(lab) as agent:
            benchmark(lab, "-t", COMMUTING, "-r", 5000, "-n", 5000, "-c", 20, "-P", 16, "-d", 200)
            same_data(v1, v2)  # the second run writes other values to the same keys
            benchmark(lab, "-t", COMMUTING.removesuffix(",mset"), "-r", 500, "-n", 500, "-c", 5, "-d", 5000)
            row = agent.rule(agent.settled_ledger(timeout=30))
            lost = {**row["dropped"], **row["kernel"]["dropped"]}
            note(f"dropped: { {reason: n for reason, n in lost.items() if reason not in ('duplicate', 'own')} }")
            told = same_data(v1, v2)
        check_equal(dropped_requests(row), {}, "dropped requests")
        check_equal(row["mirrored"]["flows"], row["seen"]["flows"], "flows mirrored of those seen")
        note(f"{sum(told['calls'].values())} commands, {told['keys']} keys, {row['mirrored']['flows']} flows, "
             f"{row['mirrored']['bytes'] / 1e6:.1f} MB mirrored")


@case("one connection whose commands build on each other: the order of bytes is v1's")
def order_matters():
    need_command("redis-server", "redis-benchmark", "redis-cli")
    with Lab() as lab:
        v1, v2 = Redis(lab, "v1"), Redis(lab, "v2")
        with setup_agent(lab) as agent:
            for command in (["APPEND", "text:__rand_int__", "__rand_int__"], ["LPUSH", "list", "__rand_int__"],
                            ["ZADD", "scores", "__rand_int__", "member:__rand_int__"], ["RPOPLPUSH", "list", "other"]):
                benchmark(lab, "-c", 1, "-P", 50, "-r", 100, "-n", 5000, *command)
                same_data(v1, v2)  # the next command comes on another connection
            row = agent.rule(agent.settled_ledger())
        check_equal(dropped_requests(row), {}, "dropped requests")
        note(f"{row['mirrored']['flows']} flows, {row['mirrored']['bytes'] / 1e6:.1f} MB mirrored")


@case("a connection that was open before the agent: none of its commands is mirrored, all are counted; new ones are")
def from_the_syn_on():
    need_command("redis-server", "redis-cli")
    with Lab() as lab:
        v1, v2 = Redis(lab, "v1"), Redis(lab, "v2")
        fifo = lab.dir / "commands"
        fifo.touch()
        lab.spawn("client", ["sh", "-c", f"tail -f {fifo} | redis-cli -h {lab.addr('v1')} -p {PORT}"], "old")

        def say(line):
            with open(fifo, "a") as file:
                file.write(line + "\n")
        say("SET before 1")
        wait_for(lambda: v1.ask("EXISTS", "before").strip() == "1", 10, "the old connection's first key")
        with setup_agent(lab) as agent:
            say("SET old 1")
            wait_for(lambda: v1.ask("EXISTS", "old").strip() == "1", 10, "the old connection's second key")
            benchmark(lab, "-c", 1, "-n", 1, "SET", "new", "1")
            wait_for(lambda: v2.ask("EXISTS", "new").strip() == "1", 10, "the new connection's key at v2")
            row = agent.rule(agent.settled_ledger())
        check_equal(sorted(v2.ask("KEYS", "*").split()), ["new"], "keys at v2")
        lost = {reason: d["bytes"] for reason, d in row["dropped"].items() if d["bytes"]}
        check(set(lost) == {"midstream"}, f"dropped: {lost}")
        note(f"dropped: {lost}")


if __name__ == "__main__":
    main()
