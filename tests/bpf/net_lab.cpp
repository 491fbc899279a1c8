#include "bpf/net_lab.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstring>

#include "bpf/prog_runner.h"

namespace umbra::test {

namespace {

constexpr int kPatienceMs = 10'000;

UniqueFd current_namespace() { return UniqueFd(::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC)); }

sockaddr_storage socket_address(const Endpoint& endpoint, socklen_t& size) {
    sockaddr_storage storage{};
    if (endpoint.address.is_v4()) {
        auto* v4 = reinterpret_cast<sockaddr_in*>(&storage);
        v4->sin_family = AF_INET;
        v4->sin_port = htons(endpoint.port);
        std::memcpy(&v4->sin_addr, endpoint.address.bytes.data() + 12, 4);
        size = sizeof(*v4);
    } else {
        auto* v6 = reinterpret_cast<sockaddr_in6*>(&storage);
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(endpoint.port);
        std::memcpy(&v6->sin6_addr, endpoint.address.bytes.data(), 16);
        size = sizeof(*v6);
    }
    return storage;
}

Endpoint endpoint_of(const sockaddr_storage& storage) {
    if (storage.ss_family == AF_INET) {
        const auto* v4 = reinterpret_cast<const sockaddr_in*>(&storage);
        return {IpAddress::v4(reinterpret_cast<const std::uint8_t*>(&v4->sin_addr)), ntohs(v4->sin_port)};
    }
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&storage);
    return {IpAddress::v6(v6->sin6_addr.s6_addr), ntohs(v6->sin6_port)};
}

}  // namespace

std::unique_ptr<NetLab> NetLab::make() {
    std::unique_ptr<NetLab> lab(new NetLab);
    lab->origin_ = current_namespace();
    if (!enter_new_namespace()) return nullptr;
    lab->namespaces_["host"] = current_namespace();
    return lab;
}

NetLab::~NetLab() { ::setns(origin_.get(), CLONE_NEWNET); }

void NetLab::add(const std::string& name) {
    ASSERT_TRUE(enter_new_namespace());
    namespaces_[name] = current_namespace();
    enter("host");
}

void NetLab::enter(const std::string& name) { ASSERT_EQ(::setns(namespaces_.at(name).get(), CLONE_NEWNET), 0); }

void NetLab::connect(const std::string& name, const std::string& other, const std::string& address) {
    if (!namespaces_.contains(other)) add(other);
    const std::string path =
        "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(namespaces_.at(other).get());
    sh("ip link add " + name + " type veth peer name eth0 netns " + path);
    sh("ip link set " + name + " up");
    enter(other);
    sh("ip link set eth0 up && ip addr add " + address + " dev eth0");
    enter("host");
}

void NetLab::sh(const std::string& command) { EXPECT_EQ(std::system(command.c_str()), 0) << command; }

std::string NetLab::output(const std::string& command) {
    std::string text;
    std::array<char, 4096> buffer;
    FILE* pipe = ::popen(command.c_str(), "r");
    if (!pipe) return text;
    while (const std::size_t got = std::fread(buffer.data(), 1, buffer.size(), pipe)) text.append(buffer.data(), got);
    ::pclose(pipe);
    return text;
}

TcpPair::TcpPair(NetLab& lab, const std::string& client_namespace, const std::string& server_namespace,
                 const std::string& server) {
    socklen_t size = 0;
    const sockaddr_storage address = socket_address(*Endpoint::parse(server), size);
    const auto* generic = reinterpret_cast<const sockaddr*>(&address);
    const int on = 1;
    lab.enter(server_namespace);
    UniqueFd listener(::socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ::setsockopt(listener.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    EXPECT_EQ(::bind(listener.get(), generic, size), 0) << std::strerror(errno);
    EXPECT_EQ(::listen(listener.get(), 1), 0);
    lab.enter(client_namespace);
    client_.reset(::socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ::setsockopt(client_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    EXPECT_EQ(::connect(client_.get(), generic, size), 0) << std::strerror(errno);
    lab.enter("host");
    pollfd waiting{listener.get(), POLLIN, 0};
    if (::poll(&waiting, 1, kPatienceMs) == 1) server_.reset(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    EXPECT_TRUE(ok());
}

void TcpPair::transfer(int from, int to, std::size_t bytes) {
    const std::vector<char> data(256 * 1024, 'x');
    std::vector<char> sink(256 * 1024);
    std::size_t sent = 0, received = 0;
    while (received < bytes) {
        if (sent < bytes) {
            const ssize_t done = ::send(from, data.data(), std::min(bytes - sent, data.size()), MSG_DONTWAIT);
            if (done > 0) sent += static_cast<std::size_t>(done);
        }
        pollfd waiting{to, POLLIN, 0};
        ASSERT_EQ(::poll(&waiting, 1, kPatienceMs), 1);
        const ssize_t got = ::recv(to, sink.data(), sink.size(), MSG_DONTWAIT);
        if (got > 0) received += static_cast<std::size_t>(got);
    }
}

void TcpPair::send(std::size_t bytes) { transfer(client_.get(), server_.get(), bytes); }
void TcpPair::reply(std::size_t bytes) { transfer(server_.get(), client_.get(), bytes); }

std::string TcpPair::client_endpoint() const {
    sockaddr_storage address{};
    socklen_t size = sizeof(address);
    ::getsockname(client_.get(), reinterpret_cast<sockaddr*>(&address), &size);
    return endpoint_of(address).to_string();
}

rules::Plan mirror_all(const std::vector<std::string>& origins) {
    rules::Plan plan;
    rules::PlanRule rule;
    rule.key = "test/rule";
    rule.mirrors.resize(1);
    plan.rules.push_back(rule);
    for (const std::string& origin : origins) {
        rules::PlanOrigin entry;
        entry.endpoint = *Endpoint::parse(origin);
        entry.candidates = {0};
        plan.origins.push_back(entry);
    }
    return plan;
}

std::size_t payload_bytes(const std::vector<Frame>& frames, bool ethernet) {
    std::size_t sum = 0;
    for (const Frame& frame : frames) {
        const std::size_t ip = sizeof(VirtioHeader) + (ethernet ? 14 : 0);
        std::size_t tcp = ip + 40;
        if (frame[ip] >> 4 == 4)
            tcp = ip + (frame[ip] & 0xf) * 4u;
        else if (frame[ip + 6] == 0)
            tcp += 8u * (1u + frame[tcp + 1]);  // hop-by-hop of a jumbogram
        sum += frame.size() - tcp - (frame[tcp + 12] >> 4) * 4u;
    }
    return sum;
}

}  // namespace umbra::test
