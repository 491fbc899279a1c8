// Raw Ethernet for the instruments that make packets: sockets in other namespaces, TCP over IPv4 by hand.
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace umbra::instruments {

using Mac = std::array<std::uint8_t, 6>;

[[noreturn]] inline void broken(const char* what) {
    std::perror(what);
    std::exit(2);
}

inline Mac parse_mac(const char* text) {
    unsigned v[6] = {};
    if (std::sscanf(text, "%x:%x:%x:%x:%x:%x", &v[0], &v[1], &v[2], &v[3], &v[4], &v[5]) != 6) broken("parse a MAC");
    Mac mac{};
    for (std::size_t i = 0; i < 6; ++i) mac[i] = static_cast<std::uint8_t>(v[i]);
    return mac;
}

// A packet socket on a device of another namespace; this thread's namespace is as before afterwards.
inline int packet_socket(const char* netns, const char* device) {
    const int home = ::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), there = ::open(netns, O_RDONLY | O_CLOEXEC);
    if (there < 0 || ::setns(there, CLONE_NEWNET)) broken(netns);
    const int fd = ::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL));
    sockaddr_ll place{};
    place.sll_family = AF_PACKET;
    place.sll_protocol = htons(ETH_P_ALL);
    place.sll_ifindex = static_cast<int>(::if_nametoindex(device));
    if (fd < 0 || ::bind(fd, reinterpret_cast<sockaddr*>(&place), sizeof(place))) broken(device);
    if (::setns(home, CLONE_NEWNET)) broken("go back to the namespace");
    ::close(home);
    ::close(there);
    return fd;
}

struct TcpPacket {
    std::uint32_t source = 0, target = 0;  // addresses and all else in host order
    std::uint16_t source_port = 0, target_port = 0;
    std::uint32_t seq = 0, ack = 0;
    std::uint8_t flags = 0;
    const char* payload = nullptr;
    std::size_t size = 0;
};

inline std::uint32_t sum_of(const std::uint8_t* bytes, std::size_t size, std::uint32_t sum = 0) {
    for (std::size_t i = 0; i + 1 < size; i += 2) sum += static_cast<std::uint32_t>(bytes[i] << 8 | bytes[i + 1]);
    return size % 2 ? sum + static_cast<std::uint32_t>(bytes[size - 1] << 8) : sum;
}
inline std::uint16_t folded(std::uint32_t sum) {
    while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
    return static_cast<std::uint16_t>(~sum);
}

// Writes an Ethernet frame to out, which has room, and returns its size.
inline std::size_t write_frame(std::uint8_t* out, const Mac& to, const Mac& from, const TcpPacket& p) {
    const auto put16 = [](std::uint8_t* at, unsigned v) {
        at[0] = static_cast<std::uint8_t>(v >> 8);
        at[1] = static_cast<std::uint8_t>(v);
    };
    const auto put32 = [&](std::uint8_t* at, std::uint32_t v) {
        put16(at, v >> 16);
        put16(at + 2, v & 0xffff);
    };
    std::memcpy(out, to.data(), 6);
    std::memcpy(out + 6, from.data(), 6);
    put16(out + 12, ETH_P_IP);
    std::uint8_t *ip = out + 14, *tcp = ip + 20;
    std::memset(ip, 0, 40);
    ip[0] = 0x45;
    put16(ip + 2, static_cast<unsigned>(40 + p.size));
    ip[6] = 0x40;
    ip[8] = 64;
    ip[9] = 6;
    put32(ip + 12, p.source);
    put32(ip + 16, p.target);
    put16(ip + 10, folded(sum_of(ip, 20)));
    put16(tcp, p.source_port);
    put16(tcp + 2, p.target_port);
    put32(tcp + 4, p.seq);
    put32(tcp + 8, p.ack);
    tcp[12] = 5 << 4;
    tcp[13] = p.flags;
    put16(tcp + 14, 64000);
    if (p.size) std::memcpy(tcp + 20, p.payload, p.size);
    const auto pseudo = static_cast<std::uint32_t>(6 + 20 + p.size);
    put16(tcp + 16, folded(sum_of(tcp, 20 + p.size, sum_of(ip + 12, 8, pseudo))));
    return 54 + p.size;
}

}  // namespace umbra::instruments
