"""The usual scene of a case: recorders v1 and v2, the post's rule, an agent, one client run."""
import rules
from agent import Agent
from case import note
from peers import Recorder, check_exact_ledger, check_mirrored, drive


def setup_agent(lab, *args, mirrors=("v2",), rule=None):
    """Writes registry and rule for a lab and returns an agent that is not started yet."""
    def addresses(role):
        return [lab.addr(role), lab.addr(role, 6)]
    pods = {"v1": [addresses("v1")], "v2": [addresses(m) for m in mirrors]}
    registry = rules.write(lab, "registry.yaml", rules.registry(pods))
    if rule is None:
        rule = rules.POST_RULE_FILE
    return Agent(lab, registry, rule, args=args)


def mirror_exactly(lab, agent, family, requests, **options):
    """One run on fresh records; returns the ledger's row."""
    v1 = Recorder(lab, "v1")
    mirrors = [Recorder(lab, role) for role in lab.mirrors]
    with agent:
        sent, result = drive(lab, lab.addr("v1", family), requests=requests, **options)
        everything = check_mirrored(sent, v1, mirrors)
        row = check_exact_ledger(agent, v1, everything)
    for recorder in (v1, *mirrors):
        recorder.kill()
    note(f"{result['answered']} requests, {result['bytes'] / 1e6:.0f} MB, {result['rate']:.0f} requests/s, "
         f"{len(everything)} mirrored, dropped: {row['dropped'] or 'nothing'}")
    return row
