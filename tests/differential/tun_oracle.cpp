#include "differential/tun_oracle.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <thread>

#include "differential/namespace_setup.h"
#include "flow/decode.h"
#include "net/seq.h"

namespace umbra::differential {

namespace {

constexpr std::uint16_t kFirstPort = 8000;
constexpr std::uint32_t kPortsPerAddress = 40000;
constexpr int kBufferKinds = std::size(kReceiveBuffers);

Error failure(const std::string& attempt) { return {ErrorCode::failure, attempt + ": " + std::strerror(errno)}; }

// One listener per kind of server.
int listener_of(const Script& script) {
    return (script.buffer * 2 + (script.fast_open ? 1 : 0)) * 2 + (script.ipv6 ? 1 : 0);
}

void set_option(int fd, int level, int name, int value) { setsockopt(fd, level, name, &value, sizeof value); }

Result<UniqueFd> listen_on(int kind) {
    const bool ipv6 = (kind & 1) != 0, fast_open = (kind & 2) != 0;
    const int buffer = kReceiveBuffers[kind / 4];
    UniqueFd fd(socket(ipv6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (buffer != 0) set_option(fd.get(), SOL_SOCKET, SO_RCVBUF, buffer);
    sockaddr_storage address{};
    if (ipv6) {
        set_option(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, 1);
        auto& in = reinterpret_cast<sockaddr_in6&>(address);
        in.sin6_family = AF_INET6;
        in.sin6_port = htons(static_cast<std::uint16_t>(kFirstPort + kind));
    } else {
        auto& in = reinterpret_cast<sockaddr_in&>(address);
        in.sin_family = AF_INET;
        in.sin_port = htons(static_cast<std::uint16_t>(kFirstPort + kind));
    }
    const socklen_t size = ipv6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
    if (bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size) < 0) return failure("bind a listener");
    if (listen(fd.get(), 60000) < 0) return failure("listen");
    if (fast_open) set_option(fd.get(), IPPROTO_TCP, TCP_FASTOPEN, 60000);
    return fd;
}

Endpoint endpoint_of(const sockaddr_storage& address) {
    Endpoint endpoint;
    if (address.ss_family == AF_INET6) {
        const auto& in = reinterpret_cast<const sockaddr_in6&>(address);
        endpoint.address = IpAddress::v6(in.sin6_addr.s6_addr);
        endpoint.port = ntohs(in.sin6_port);
    } else {
        const auto& in = reinterpret_cast<const sockaddr_in&>(address);
        endpoint.address = IpAddress::v4(reinterpret_cast<const std::uint8_t*>(&in.sin_addr));
        endpoint.port = ntohs(in.sin_port);
    }
    return endpoint;
}

void abort_connection(UniqueFd& fd) {
    const linger now{1, 0};
    setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
    fd.reset();
}

// One recv(); false: nothing more for now or for good.
bool read_some(int fd, Connection& connection, bool& over, std::size_t limit) {
    char buffer[65536];
    const auto got = recv(fd, buffer, std::min(limit, sizeof buffer), 0);
    if (got > 0) {
        connection.bytes.append(buffer, static_cast<std::size_t>(got));
        return true;
    }
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return false;
    over = true;
    connection.end = got == 0 ? End::eof : End::reset;
    return false;
}

}  // namespace

const char* end_name(End end) { return end == End::open ? "open" : end == End::eof ? "EOF" : "reset"; }

Result<std::unique_ptr<TunOracle>> TunOracle::make() {
    std::unique_ptr<TunOracle> oracle(new TunOracle);
    auto tun = enter_namespace();
    if (!tun) return tun.error();
    oracle->tun_ = std::move(*tun);
    if (auto opened = oracle->open_listeners(); !opened) return opened.error();
    return oracle;
}

Result<void> TunOracle::open_listeners() {
    for (int kind = 0; kind < kBufferKinds * 4; ++kind) {
        auto listener = listen_on(kind);
        if (!listener) return listener.error();
        listeners_.push_back(std::move(*listener));
    }
    return {};
}

FlowTuple TunOracle::next_tuple(const Script& script) {
    const std::uint32_t number = tuples_++, host = 2 + number / kPortsPerAddress;
    FlowTuple tuple;
    tuple.client.port = static_cast<std::uint16_t>(20000 + number % kPortsPerAddress);
    tuple.server.port = static_cast<std::uint16_t>(kFirstPort + listener_of(script));
    const auto high = static_cast<std::uint8_t>(host >> 8), low = static_cast<std::uint8_t>(host);
    tuple.server.address = *IpAddress::parse(script.ipv6 ? kServerV6 : kServerV4);
    tuple.client.address = tuple.server.address;
    tuple.client.address.bytes[13] = 1;
    tuple.client.address.bytes[14] = high;
    tuple.client.address.bytes[15] = low;
    return tuple;
}

// Takes what the kernel has sent.
void TunOracle::collect(Run& run) {
    char buffer[65536];
    for (;;) {
        const auto got = read(tun_.get(), buffer, sizeof buffer);
        if (got <= 0) return;
        const std::string_view bytes(buffer, static_cast<std::size_t>(got));
        CapturedPacket captured{as_bytes(bytes), static_cast<std::uint32_t>(got), LinkType::raw_ip,
                                ChecksumState::trusted, 0};
        const DecodeResult decoded = decode(captured, {});
        if (decoded.status != DecodeStatus::ok) continue;
        const auto& packet = decoded.packet;
        if (packet.source != run.trace.tuple.server || packet.destination != run.trace.tuple.client) continue;
        run.trace.packets.push_back({false, -1, std::string(bytes)});
        if ((packet.flags & kRst) != 0) continue;
        const std::uint32_t end = packet.seq + static_cast<std::uint32_t>(packet.payload.size()) +
                                  ((packet.flags & (kSyn | kFin)) != 0 ? 1 : 0);
        const bool restarts = (packet.flags & kSyn) != 0;
        if (restarts || seq_after(end, run.heard.server_next)) run.heard.server_next = end;
        if (packet.options.tsval) run.heard.tsval = *packet.options.tsval;
    }
}

void TunOracle::accept_all(Run& run) {
    for (;;) {
        sockaddr_storage peer{};
        socklen_t size = sizeof peer;
        UniqueFd fd(accept4(listeners_[static_cast<std::size_t>(run.listener)].get(),
                            reinterpret_cast<sockaddr*>(&peer), &size, SOCK_NONBLOCK | SOCK_CLOEXEC));
        if (!fd) return;
        if (endpoint_of(peer) != run.trace.tuple.client) {
            abort_connection(fd);
            continue;
        }
        run.accepted.push_back({std::move(fd), false});
        run.trace.connections.emplace_back();
    }
}

void TunOracle::read_all(Run& run, bool everything) {
    accept_all(run);
    for (std::size_t i = 0; i < run.accepted.size(); ++i) {
        auto& [fd, over] = run.accepted[i];
        while (!over && read_some(fd.get(), run.trace.connections[i], over, everything ? 65536 : 16))
            if (!everything) break;
    }
}

void TunOracle::step(Run& run, const Step& step, int index) {
    if (step.kind == kPacket) {
        const std::string packet = write_packet(run.script, step, run.trace.tuple, run.heard);
        run.trace.packets.push_back({true, index, packet});
        // The device refuses what is no IP packet; so does a wire.
        [[maybe_unused]] const auto written = write(tun_.get(), packet.data(), packet.size());
        collect(run);
        if (!run.script.late) read_all(run, true);
    } else if (step.kind == kRead) {
        read_all(run, step.len == 0);
    } else {
        accept_all(run);
        if (run.accepted.empty()) return;
        const int fd = run.accepted.back().fd.get();
        if (step.kind == kAckNow) set_option(fd, IPPROTO_TCP, TCP_QUICKACK, 1);
        if (step.kind == kShutdown) shutdown(fd, SHUT_WR);
        const std::string answer(static_cast<std::size_t>(std::max(step.len, 1)), 'R');
        if (step.kind == kWrite) send(fd, answer.data(), answer.size(), MSG_NOSIGNAL);
    }
    collect(run);
}

// A delayed acknowledgement is sent at once when the application asks for it; once it has shut down its own side, only
// when a packet asks for it. Nothing of such a packet is cloned or taken.
void TunOracle::acknowledge_now(Run& run) {
    for (const auto& [fd, over] : run.accepted) {
        set_option(fd.get(), IPPROTO_TCP, TCP_QUICKACK, 1);
        tcp_info info{};
        socklen_t size = sizeof info;
        if (getsockopt(fd.get(), IPPROTO_TCP, TCP_INFO, &info, &size) < 0) continue;
        if (info.tcpi_state != TCP_FIN_WAIT1 && info.tcpi_state != TCP_FIN_WAIT2 && info.tcpi_state != TCP_CLOSING)
            continue;
        for (int conn = 0; conn < 2; ++conn) {
            Step probe;
            probe.conn = conn;
            probe.at = -1;
            probe.len = 1;  // answers to packets without payload are rate-limited
            const std::string packet = write_packet(run.script, probe, run.trace.tuple, run.heard);
            [[maybe_unused]] const auto written = write(tun_.get(), packet.data(), packet.size());
        }
    }
}

// Twice: reading may make room for what was refused before.
void TunOracle::finish(Run& run) {
    for (int round = 0; round < 2; ++round) {
        read_all(run, true);
        acknowledge_now(run);
        collect(run);
    }
    Trace unused;
    Run after{run.script, unused, run.listener};
    for (auto& [fd, over] : run.accepted) abort_connection(fd);
    for (int conn = 0; conn < 2; ++conn) {
        Step reset;
        reset.conn = conn;
        reset.flags = kRst;
        const std::string packet = write_packet(run.script, reset, run.trace.tuple, {});
        [[maybe_unused]] const auto written = write(tun_.get(), packet.data(), packet.size());
    }
    accept_all(after);
    collect(after);
}

Result<Trace> TunOracle::play(const Script& script) {
    Trace trace;
    trace.tuple = next_tuple(script);
    Run run{script, trace, listener_of(script)};
    for (std::size_t i = 0; i < script.steps.size(); ++i) step(run, script.steps[i], static_cast<int>(i));
    finish(run);
    return trace;
}

Result<void> probe_tun() {
    Result<void> outcome;
    std::thread([&outcome] {
        const auto made = TunOracle::make();
        if (!made) outcome = made.error();
    }).join();
    return outcome;
}

}  // namespace umbra::differential
