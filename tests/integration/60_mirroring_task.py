#!/usr/bin/python3
"""Istio's Mirroring task with httpbin under gunicorn: precedence 5, then 11, then the rules deleted."""
import rules
from agent import Agent, umbra
from case import case, check, check_equal, main, need_command, need_module
from lab import Lab
from servers import Httpbin, check_json, curl

REQUESTS = [
    ("GET", "/headers", []), ("GET", "/ip", []), ("POST", "/post", ["-d", "name=umbra"]),
    ("PUT", "/put", ["-X", "PUT", "-d", "x" * 3000]), ("DELETE", "/delete", ["-X", "DELETE"]),
    ("POST", "/anything", ["-H", "Transfer-Encoding: chunked", "-d", "chunked body"]),
    ("GET", "/status/404", []), ("GET", "/gzip", []), ("HEAD", "/get", ["-I"]),
]


class Task:
    """The stage of the task: both servers, the agent with some files, a client that asks v1."""

    def __init__(self, lab, *files):
        need_module("httpbin")
        need_command("gunicorn", "curl")
        self.lab = lab
        self.v1, self.v2 = Httpbin(lab, "v1"), Httpbin(lab, "v2")
        self.v1.wait()
        self.v2.wait()
        self.registry = rules.write(lab, "registry.yaml", rules.registry({"v1": [[lab.addr("v1")]],
                                                                          "v2": [[lab.addr("v2")]]}))
        self.agent = Agent(lab, self.registry, *files)

    def ask(self):
        """All requests, each answered by v1."""
        for method, path, args in REQUESTS:
            status, fields, body = curl(self.lab, *args, f"http://{self.lab.addr('v1')}:8080{path}")
            check_equal(status, int(path[8:]) if path.startswith("/status/") else 200, f"status of {method} {path}")
            check_equal(fields.get("x-served-by"), "v1", f"who answered {method} {path}")
            if path == "/ip":
                check_equal(check_json(body)["origin"], self.lab.addr("client"), "whom v1 answered")

    def check_logs(self, mirrored):
        def asked(lines):
            return [line.split('"')[1] for line in lines]
        expected = [f"{method} {path} HTTP/1.1" for method, path, _ in REQUESTS]
        check_equal(asked(self.v1.log.fresh(len(expected), settle=0.2)), expected, "v1's access log")
        wanted = expected if mirrored else []
        check_equal(sorted(asked(self.v2.log.fresh(len(wanted), settle=1.0))), sorted(wanted), "v2's access log")


@case("precedence 5 alone: nothing mirrored; 11 applied: every request at v2 too; deleted: nothing more")
def both_rules():
    with Lab() as lab:
        task = Task(lab, rules.DEFAULT_RULE_FILE)
        with task.agent as agent:
            task.ask()
            task.check_logs(mirrored=False)
            agent.call("apply", "-f", rules.POST_RULE_FILE)
            task.ask()
            task.check_logs(mirrored=True)
            row = agent.rule(agent.settled_ledger(), rules.POST_RULE_NAME)
            check_equal(row["mirrored"]["requests"], len(REQUESTS), "mirrored requests of the ledger")
            agent.call("delete", "rule", rules.POST_RULE_NAME)
            task.ask()
            task.check_logs(mirrored=False)
            agent.call("delete", "rule", rules.DEFAULT_RULE_NAME)
            task.ask()
            task.check_logs(mirrored=False)
            check(agent.call("ledger").returncode == 0, "the ledger does not close")


@case("the post's rule without its weight-0 entry behaves the same and compiles to the same plan")
def without_hint():
    with Lab() as lab:
        short = rules.write(lab, "short.yaml", rules.POST_RULE_FILE.read_text().replace(
            "  - labels: \n      version: v2\n    weight: 0\n", ""))
        check("weight: 0" not in short.read_text(), "the weight-0 entry is still there")
        task = Task(lab, short)
        plans = [umbra("explain", "-f", task.registry, "-f", rule) for rule in (short, rules.POST_RULE_FILE)]
        check_equal([p.returncode for p in plans], [0, 0], f"exit codes of explain\n{plans[0].stderr}")
        check_equal(plans[0].stdout, plans[1].stdout, "the plans")
        with task.agent:
            task.ask()
            task.check_logs(mirrored=True)


@case("a higher rule without a mirror turns the mirroring off")
def higher_rule_without_mirror():
    with Lab() as lab:
        higher = rules.write(lab, "higher.yaml", rules.mirror_rule("no-mirror", 12, mirrored=False))
        task = Task(lab, rules.POST_RULE_FILE, higher)
        with task.agent as agent:
            task.ask()
            task.check_logs(mirrored=False)
            agent.call("delete", "rule", "no-mirror")
            task.ask()
            task.check_logs(mirrored=True)


if __name__ == "__main__":
    main()
