"""Two nodes with pods as the usual network plugins connect them, a LAN between the nodes, Services as kube-proxy has them.

  bridge  kubenet, flannel: pods are ports of the node's cni0, which has the subnet's first address
  ptp     the ptp plugin: each pod behind a veth, a host route to it, the gateway's address on every veth
  calico  each pod has a /32 and the gateway 169.254.1.1, which the host's veth answers for (proxy_arp)

Roles: node, node2; pods are added by add_pod(). IPv6 in the same shapes. Names are those of the namespaces.
"""
import os

from lab import PREFIX, Lab, remove_namespace, run

LAN = {"node": ("10.90.0.1", "fd90::1"), "node2": ("10.90.0.2", "fd90::2")}
ROUTER = "10.90.0.254", "fd90::fe"  # nobody; a node has a default route, which proxy_arp and ClusterIPs need
SUBNET = {"node": ("10.91.1", "fd91:0:0:1"), "node2": ("10.91.2", "fd91:0:0:2")}
VIP, VIP6 = "10.96.0.10", "fd96::10"
CALICO_GATEWAY = "169.254.1.1"


class PodLab(Lab):
    def __init__(self, layout):
        super().__init__(layout, mirrors=0)
        self.peers = ["node2"]
        self.pods = {}  # role -> (node, number)

    def build(self):
        for role in ("node", "node2"):
            self._namespace(role)
            for key, value in (("net/ipv4/ip_forward", 1), ("net/ipv6/conf/all/forwarding", 1),
                               ("net/ipv4/conf/all/rp_filter", 0), ("net/ipv4/conf/default/rp_filter", 0)):
                self.sysctl(role, key, value)
        run(["ip", "-n", self.ns("node"), "link", "add", "eth0", "type", "veth",
             "peer", "name", "eth0", "netns", self.ns("node2")])
        for role, other in (("node", "node2"), ("node2", "node")):
            self._addresses(role, "eth0", LAN[role], 24, 64)
            self.ip(role, "link", "set", "eth0", "up")
            self.ip(role, "route", "add", f"{SUBNET[other][0]}.0/24", "via", LAN[other][0])
            self.ip(role, "-6", "route", "add", f"{SUBNET[other][1]}::/64", "via", LAN[other][1])
            self.ip(role, "route", "add", "default", "via", ROUTER[0])
            self.ip(role, "-6", "route", "add", "default", "via", ROUTER[1])
            if self.layout == "bridge":
                # With its own address, as plugins give it: else it changes with the ports, and pods keep the old one.
                self.ip(role, "link", "add", "cni0", "address", "02:00:00:00:00:01", "type", "bridge")
                self._addresses(role, "cni0", self._gateways(role), 24, 64)
                self.ip(role, "link", "set", "cni0", "up")

    def _namespace(self, role):
        remove_namespace(self.ns(role))
        run(["ip", "netns", "add", self.ns(role)])
        for key in ("all", "default"):
            self.sysctl(role, f"net/ipv6/conf/{key}/accept_dad", 0)
        self.ip(role, "link", "set", "lo", "up")

    def _addresses(self, role, device, addresses, length, length6):
        self.ip(role, "addr", "add", f"{addresses[0]}/{length}", "dev", device)
        self.ip(role, "addr", "add", f"{addresses[1]}/{length6}", "dev", device, "nodad")

    def _gateways(self, node):
        return f"{SUBNET[node][0]}.1", f"{SUBNET[node][1]}::1"

    def ns(self, role):
        return f"{PREFIX}{os.getpid()}-{role}"

    def addr(self, role, family=4):
        if role in LAN:
            return LAN[role][family == 6]
        node, number = self.pods[role]
        return f"{SUBNET[node][0]}.{number}" if family == 4 else f"{SUBNET[node][1]}::{number:x}"

    # --- pods ----------------------------------------------------------------------------------------------------

    def add_pod(self, role, node="node"):
        """As a network plugin does it: the pod's namespace, a veth, addresses and routes."""
        taken = {number for _, number in self.pods.values()}
        self.pods[role] = node, next(n for n in range(10, 250) if n not in taken)  # addresses come back
        self.peers.append(role)
        self._namespace(role)
        device = f"pod-{role}"
        run(["ip", "-n", self.ns(node), "link", "add", "name", device, "type", "veth",
             "peer", "name", "eth0", "netns", self.ns(role)])
        self.ip(role, "link", "set", "eth0", "up")
        if self.layout == "bridge":
            self.ip(node, "link", "set", device, "master", "cni0")
            self.exec(node, ["sh", "-c", f"echo 1 > /sys/class/net/{device}/brport/hairpin_mode"])
        self.ip(node, "link", "set", device, "up")
        {"bridge": self._bridge_pod, "ptp": self._ptp_pod, "calico": self._calico_pod}[self.layout](role, node, device)

    def remove_pod(self, role):
        self.peers.remove(role)
        del self.pods[role]
        remove_namespace(self.ns(role))

    def _bridge_pod(self, role, node, _device):
        gateway, gateway6 = self._gateways(node)
        self._addresses(role, "eth0", (self.addr(role), self.addr(role, 6)), 24, 64)
        # In place of the plugin's announcement: the node may know the last pod that had these addresses.
        for address in self.addr(role), self.addr(role, 6):
            self.ip(node, "neigh", "flush", "dev", "cni0", "to", address)
        self.ip(role, "route", "add", "default", "via", gateway)
        self.ip(role, "-6", "route", "add", "default", "via", gateway6)

    def _ptp_pod(self, role, node, device):
        gateway, gateway6 = self._gateways(node)
        self._addresses(role, "eth0", (self.addr(role), self.addr(role, 6)), 32, 128)
        self._addresses(node, device, (gateway, gateway6), 32, 128)
        self._pod_routes(role, gateway, gateway6)
        self._host_routes(role, node, device)

    def _calico_pod(self, role, node, device):
        self.sysctl(node, f"net/ipv4/conf/{device}/proxy_arp", 1)
        self._addresses(role, "eth0", (self.addr(role), self.addr(role, 6)), 32, 128)
        self._host_routes(role, node, device)
        link = self.ip(node, "-6", "-o", "addr", "show", "dev", device, "scope", "link").stdout.split()
        self._pod_routes(role, CALICO_GATEWAY, link[link.index("inet6") + 1].split("/")[0])

    def _host_routes(self, role, node, device):
        self.ip(node, "route", "add", self.addr(role), "dev", device, "scope", "link")
        self.ip(node, "-6", "route", "add", self.addr(role, 6), "dev", device)

    def _pod_routes(self, role, gateway, gateway6):
        self.ip(role, "route", "add", gateway, "dev", "eth0", "scope", "link")
        self.ip(role, "route", "add", "default", "via", gateway, "dev", "eth0")
        if not gateway6.startswith("fe80"):
            self.ip(role, "-6", "route", "add", gateway6, "dev", "eth0")
        self.ip(role, "-6", "route", "add", "default", "via", gateway6, "dev", "eth0")

    # --- Services ------------------------------------------------------------------------------------------------

    def set_service(self, mode, port, backends):
        """The rules of one ClusterIP on both nodes. backends: [(IPv4, IPv6, port), ...]; mode: iptables, nftables."""
        for node in ("node", "node2"):
            for family, vip, index in (("ip", VIP, 0), ("ip6", VIP6, 1)):
                ends = [(b[index], b[2]) for b in backends]
                write = iptables_service if mode == "iptables" else nftables_service
                write(self, node, family, (vip, port), ends)


def _shown(family, address, port):
    return f"{address}:{port}" if family == "ip" else f"[{address}]:{port}"


def iptables_service(lab, node, family, vip, ends):
    """KUBE-SERVICES, KUBE-SVC-*, KUBE-SEP-*, KUBE-POSTROUTING with the mark 0x4000, as kube-proxy writes them."""
    lines = ["*nat", ":KUBE-SERVICES - [0:0]", ":KUBE-POSTROUTING - [0:0]", ":KUBE-MARK-MASQ - [0:0]",
             ":KUBE-SVC-A - [0:0]", *[f":KUBE-SEP-{i} - [0:0]" for i in range(len(ends))],
             "-A PREROUTING -j KUBE-SERVICES", "-A OUTPUT -j KUBE-SERVICES", "-A POSTROUTING -j KUBE-POSTROUTING",
             "-A KUBE-MARK-MASQ -j MARK --or-mark 0x4000",
             "-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN",
             "-A KUBE-POSTROUTING -j MARK --xor-mark 0x4000", "-A KUBE-POSTROUTING -j MASQUERADE",
             f"-A KUBE-SERVICES -d {vip[0]} -p tcp -m tcp --dport {vip[1]} -j KUBE-SVC-A"]
    for i, (address, port) in enumerate(ends):
        spread = f"-m statistic --mode random --probability {1 / (len(ends) - i):.8f} " if i + 1 < len(ends) else ""
        lines += [f"-A KUBE-SVC-A {spread}-j KUBE-SEP-{i}", f"-A KUBE-SEP-{i} -s {address} -j KUBE-MARK-MASQ",
                  f"-A KUBE-SEP-{i} -p tcp -m tcp -j DNAT --to-destination {_shown(family, address, port)}"]
    tool = "iptables-nft-restore" if family == "ip" else "ip6tables-nft-restore"
    lab.exec(node, [tool], input="\n".join([*lines, "COMMIT", ""]))


def nftables_service(lab, node, family, vip, ends):
    """The shape of kube-proxy's nftables mode: a verdict map from address and port to the service, one to its ends."""
    kind = "ipv4_addr" if family == "ip" else "ipv6_addr"
    chains = "".join(f"""  chain endpoint-{i} {{
    {family} saddr {address} jump mark-for-masquerade
    meta l4proto tcp dnat to {_shown(family, address, port)}
  }}
""" for i, (address, port) in enumerate(ends))
    verdicts = ", ".join(f"{i} : goto endpoint-{i}" for i in range(len(ends)))
    lab.exec(node, ["nft", "-f", "-"], input=f"""table {family} kube-proxy {{
  chain mark-for-masquerade {{ mark set mark or 0x4000; }}
{chains}  chain service-a {{ numgen random mod {len(ends)} vmap {{ {verdicts} }}; }}
  map service-ips {{
    type {kind} . inet_proto . inet_service : verdict
    elements = {{ {vip[0]} . tcp . {vip[1]} : goto service-a }}
  }}
  chain services {{ {family} daddr . meta l4proto . th dport vmap @service-ips; }}
  chain nat-prerouting {{ type nat hook prerouting priority dstnat; jump services; }}
  chain nat-output {{ type nat hook output priority -100; jump services; }}
  chain masquerading {{
    mark and 0x4000 == 0 return
    mark set mark xor 0x4000
    masquerade fully-random
  }}
  chain nat-postrouting {{ type nat hook postrouting priority srcnat; jump masquerading; }}
}}
""")
