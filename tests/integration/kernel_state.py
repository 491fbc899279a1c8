"""What the kernel holds: dumps of a node's network to compare before and after, and BPF programs by bpf(2).

bpftool of Debian 12 does not list tcx attachments, so they are queried here. Run as a program inside a namespace,
this file prints {device: {"ingress": [program ids], "egress": [...]}} as JSON; with a device as argument it is some
other agent: it attaches a neutral tcx program to both hooks of the device, last or, with "first" as second argument,
first, prints "attached" and sleeps.
"""
import ctypes
import json
import os
import signal
import socket
import struct
import subprocess
import sys

SYS_BPF = {"x86_64": 321, "aarch64": 280}[os.uname().machine]
BPF_MAP_CREATE, BPF_PROG_LOAD, BPF_PROG_QUERY, BPF_LINK_CREATE, BPF_LINK_UPDATE = 0, 5, 16, 28, 29
NEXT_ID = {"prog": 11, "map": 12, "link": 31}  # BPF_…_GET_NEXT_ID
BPF_MAP_TYPE_HASH, BPF_F_BEFORE = 1, 8
BPF_PROG_TYPE_SCHED_CLS = 3
TCX = {"ingress": 46, "egress": 47}
LIBC = ctypes.CDLL(None, use_errno=True)


def bpf(command, attr):
    result = LIBC.syscall(SYS_BPF, command, attr, len(attr))
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return result


def query_tcx(ifindex, direction):
    """Ids of the tcx programs on a device, in run order; None where the kernel has no tcx."""
    ids = (ctypes.c_uint32 * 64)()
    attr = ctypes.create_string_buffer(struct.pack("=IIIIQIIQQQQ", ifindex, TCX[direction], 0, 0,
                                                   ctypes.addressof(ids), 64, 0, 0, 0, 0, 0), 72)
    try:
        bpf(BPF_PROG_QUERY, attr)
    except OSError:
        return None
    return list(ids)[:struct.unpack_from("=I", attr, 24)[0]]


def tcx_of_devices():
    return {name: {d: query_tcx(index, d) for d in TCX} for index, name in socket.if_nameindex()}


def load_neutral_program():
    """A sched_cls program that returns TC_ACT_UNSPEC: some other agent's. Returns its fd."""
    code = struct.pack("=BBhiBBhi", 0xB7, 0, 0, -1, 0x95, 0, 0, 0)
    text, licence = ctypes.create_string_buffer(code), ctypes.create_string_buffer(b"GPL")
    attr = ctypes.create_string_buffer(struct.pack(
        "=IIQQIIQII16s", BPF_PROG_TYPE_SCHED_CLS, len(code) // 8, ctypes.addressof(text), ctypes.addressof(licence),
        0, 0, 0, 0, 0, b"foreign"), 128)
    return bpf(BPF_PROG_LOAD, attr)


def attach_tcx(program, ifindex, direction, flags=0):
    attr = ctypes.create_string_buffer(struct.pack("=IIII", program, ifindex, TCX[direction], flags), 64)
    return bpf(BPF_LINK_CREATE, attr)


def update_link(link, program):
    bpf(BPF_LINK_UPDATE, ctypes.create_string_buffer(struct.pack("=IIII", link, program, 0, 0), 64))


def create_hash_map(key_size, value_size, entries):
    attr = struct.pack("=IIIII", BPF_MAP_TYPE_HASH, key_size, value_size, entries, 0)
    return bpf(BPF_MAP_CREATE, ctypes.create_string_buffer(attr, 72))


def hold_foreign_program(device, place=""):
    program, flags = load_neutral_program(), BPF_F_BEFORE if place == "first" else 0
    held = [attach_tcx(program, socket.if_nametoindex(device), direction, flags) for direction in TCX]
    print("attached", held, flush=True)
    signal.pause()


def has_tcx():
    return query_tcx(1, "ingress") is not None


def tcx(lab, role="node"):
    return json.loads(lab.exec(role, ["/usr/bin/python3", __file__]).stdout)


def dump(lab, role="node"):
    """Everything that Umbra could leave behind in a namespace, as {command: text}."""
    def text(*argv):
        return lab.exec(role, argv).stdout
    devices = sorted(tcx(lab, role))
    out = {
        "ip link": "\n".join(sorted(line for line in text("ip", "-o", "link").splitlines())),
        "ip addr": text("ip", "-o", "addr"),
        "ip route": text("ip", "route", "show", "table", "all"),
        "ip -6 route": text("ip", "-6", "route", "show", "table", "all"),
        "ip rule": text("ip", "rule") + text("ip", "-6", "rule"),
        "tc qdisc": text("tc", "qdisc"),
        "tuntap": text("ip", "tuntap"),
        "sockets": text("ss", "-Hltn"),
        "tcx": json.dumps(tcx(lab, role)),
    }
    for device in devices:
        for hook in ("ingress", "egress"):
            out[f"tc filter {device} {hook}"] = lab.exec(role, ["tc", "filter", "show", "dev", device, hook],
                                                         check=False).stdout
        out[f"offloads {device}"] = lab.exec(role, ["ethtool", "-k", device], check=False).stdout
    return out


def differences(before, after):
    return [f"{key}:\n{before.get(key, '(absent)')}\n   became\n{after.get(key, '(absent)')}"
            for key in sorted(before.keys() | after.keys()) if before.get(key) != after.get(key)]


def bpf_ids(pids):
    """Ids of the BPF programs, maps and links that processes hold, read from their fdinfo."""
    kinds = {"prog_id": "prog", "map_id": "map", "link_id": "link"}
    found = set()
    for pid in pids:
        try:
            entries = os.listdir(f"/proc/{pid}/fdinfo")
        except OSError:
            continue
        for entry in entries:
            try:
                with open(f"/proc/{pid}/fdinfo/{entry}") as info:
                    fields = dict(line.split(":", 1) for line in info if ":" in line)
            except OSError:
                continue
            for field, kind in kinds.items():
                if field in fields and (field != "prog_id" or "link_id" not in fields):
                    found.add((kind, int(fields[field])))
    return found


def all_bpf_ids():
    """{(kind, id)} of every program, map and link of the machine."""
    found = set()
    for kind, command in NEXT_ID.items():
        attr = ctypes.create_string_buffer(struct.pack("=III", 0, 0, 0), 16)
        try:
            while True:
                bpf(command, attr)
                last = struct.unpack_from("=I", attr, 4)[0]
                found.add((kind, last))
                struct.pack_into("=I", attr, 0, last)
        except OSError:
            pass
    return found


def bpftool_json(*argv):
    done = subprocess.run(["bpftool", "-j", *map(str, argv)], capture_output=True, text=True, check=False)
    return json.loads(done.stdout) if done.returncode == 0 else None


def inner_maps(held):
    """Maps that are elements of some of these maps: nobody has a descriptor of them."""
    found = set()
    for kind, number in held:
        shown = bpftool_json("map", "show", "id", number) if kind == "map" else None
        if shown and shown["type"] in ("array_of_maps", "hash_of_maps"):
            for element in bpftool_json("map", "dump", "id", number) or []:
                value = bytes(int(byte, 16) for byte in element.get("value", []))
                found.add(("map", int.from_bytes(value, sys.byteorder)))
    return found


def unowned_bpf_ids(before):
    """What has come since then and is in no living process's hands."""
    fresh = all_bpf_ids() - before
    if not fresh:
        return fresh
    held = bpf_ids([entry for entry in os.listdir("/proc") if entry.isdigit()])
    return fresh - held and fresh - held - inner_maps(held)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        hold_foreign_program(*sys.argv[1:])
    json.dump(tcx_of_devices(), sys.stdout)
