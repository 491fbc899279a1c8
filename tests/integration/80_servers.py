#!/usr/bin/python3
"""Other origins and places: nginx as v1 with curl as client; v1 on the agent's own host, client remote and local."""
import kernel_state
from case import case, check, check_equal, main, need_command, note
from lab import Lab
from peers import Recorder, check_exact_ledger, check_mirrored, drive
from scene import setup_agent
from servers import Nginx, curl


@case("nginx is v1, curl the client: every request of nginx's access log is at v2")
def nginx_origin():
    need_command("nginx", "curl")
    with Lab() as lab:
        block = f"""    server {{
        listen {lab.addr("v1")}:8080;
        listen [{lab.addr("v1", 6)}]:8080;
        location / {{ return 200 'nginx here'; }}
    }}"""
        nginx = Nginx(lab, "v1", block)
        lab.wait_port("v1", lab.addr("v1"), 8080)
        v2 = Recorder(lab, "v2")
        upload = lab.dir / "upload"
        upload.write_bytes(bytes(range(256)) * 4000)
        with setup_agent(lab) as agent:
            asked = 0
            for host in (lab.addr("v1"), f"[{lab.addr('v1', 6)}]"):
                url = f"http://{host}:8080"
                for args in ([url + "/"], ["-I", url + "/head"], ["-d", "a=b", url + "/form"],
                             ["--data-binary", f"@{upload}", url + "/upload"],
                             ["-T", upload, "-H", "Transfer-Encoding: chunked", url + "/chunked"],
                             [f"{url}/many/[1-20]"]):
                    status, _, body = curl(lab, *args)
                    check_equal(status, 200, f"status of {args[-1]}")
                    asked += 20 if "[1-20]" in args[-1] else 1
            lines = nginx.log.fresh(asked)
            check_equal(len(lines), asked, "lines in nginx's access log")
            row = agent.rule(agent.settled_ledger())
            at_v2 = v2.requests()
            wanted = sorted(line.split('"')[1] for line in lines)
            check_equal(sorted(entry[1] for entry in at_v2), wanted, "requests at v2")
            check_equal(row["mirrored"]["requests"], asked, "mirrored requests of the ledger")
            note(f"{asked} requests, {sum(e[3] for e in at_v2)} bytes at v2")


@case("v1 on the agent's host: a remote client and a local client over lo are mirrored exactly, once")
def origin_on_host():
    with Lab("host") as lab:
        for role, family in (("client", 4), ("client", 6), ("node", 4), ("node", 6)):
            v1, v2 = Recorder(lab, "v1"), Recorder(lab, "v2")
            with setup_agent(lab) as agent:
                sent, result = drive(lab, lab.addr("v1", family), role=role, requests=1500, connections=8,
                                     reconnect=100, tag=f"{role}{family}")
                row = check_exact_ledger(agent, v1, check_mirrored(sent, v1, [v2]))
            note(f"client on {role}, IPv{family}: {row['mirrored']['requests']} mirrored of {result['sent']}")
            v1.kill()
            v2.kill()


@case("two devices carry the endpoint's traffic: --iface on both hooks still gives one copy")
def exactly_once_across_hooks():
    with Lab() as lab:
        v1, v2 = Recorder(lab, "v1"), Recorder(lab, "v2")
        with setup_agent(lab, "--iface", lab.dev("v1"), "--iface", lab.dev("client")) as agent:
            sent, _ = drive(lab, lab.addr("v1"), requests=1000, connections=8)
            check_mirrored(sent, v1, [v2])
            attached = [d for d, hooks in kernel_state.tcx(lab).items() if hooks["ingress"]]
            row = agent.rule(agent.settled_ledger())
            check_equal(row["mirrored"]["requests"], v1.counts()["requests"], "mirrored requests")
            note(f"programs on {attached}")
            check(lab.dev("v1") in attached or not kernel_state.has_tcx(), "no program on v1's device")


if __name__ == "__main__":
    main()
