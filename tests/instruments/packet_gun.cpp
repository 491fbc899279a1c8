// Makes TCP packets fast, through packet sockets of two namespaces, from addresses 10.99.0.0/16 that nobody answers
// for.
//   packet_gun syn CLIENT_NETNS SERVER_NETNS GATEWAY_MAC_OF_CLIENT GATEWAY_MAC_OF_SERVER SERVER PORT COUNT RATE
//     COUNT SYNs of different tuples
//   packet_gun holes ... COUNT RATE SEGMENTS SIZE
//     COUNT flows: SYN, the server's SYN-ACK, a whole request, the server's ACK of it, then SEGMENTS pieces of SIZE
//     bytes with a hole before each. The server's packets are made here too.
// The device is eth0 in both. RATE is packets per second. Prints how many packets were sent.
#include <algorithm>
#include <ctime>
#include <vector>

#include "instruments/raw_packets.h"

namespace umbra::instruments {
namespace {

constexpr std::uint8_t kSyn = 2, kAck = 16, kPush = 8;
constexpr std::size_t kFrameMax = 1600, kBatch = 64;
constexpr std::uint32_t kClientIsn = 0x10000000, kServerIsn = 0x20000000;
constexpr char kRequest[] = "GET /before-the-hole HTTP/1.1\r\nHost: v1\r\n\r\n";

struct Scene {
    int sockets[2];  // client's, server's
    Mac gateways[2];
    std::uint32_t server = 0;
    std::uint16_t port = 0;
    double rate = 0;
};

double now() {
    timespec time{};
    ::clock_gettime(CLOCK_MONOTONIC, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

class Gun {
public:
    explicit Gun(const Scene& scene) : scene_(scene), begin_(now()) {}

    void fire(int side, const TcpPacket& packet) {
        if (fill_ == kBatch || (fill_ > 0 && side != side_)) flush();
        side_ = side;
        const Mac own{2, 0, 0, 0, 0x99, static_cast<std::uint8_t>(side)};
        sizes_[fill_] = write_frame(frames_[fill_], scene_.gateways[side], own, packet);
        ++fill_;
    }
    void flush() {
        mmsghdr messages[kBatch] = {};
        iovec parts[kBatch];
        for (std::size_t i = 0; i < fill_; ++i) {
            parts[i] = {frames_[i], sizes_[i]};
            messages[i].msg_hdr.msg_iov = &parts[i];
            messages[i].msg_hdr.msg_iovlen = 1;
        }
        for (std::size_t done = 0; done < fill_;) {
            const int sent = ::sendmmsg(scene_.sockets[side_], messages + done, static_cast<unsigned>(fill_ - done), 0);
            if (sent <= 0) broken("sendmmsg");
            done += static_cast<std::size_t>(sent);
        }
        sent_ += fill_;
        fill_ = 0;
        const double ahead = begin_ + static_cast<double>(sent_) / scene_.rate - now();
        if (ahead > 0.0005) ::usleep(static_cast<useconds_t>(ahead * 1e6));
    }
    std::size_t sent() const { return sent_; }

private:
    Scene scene_;
    double begin_;
    int side_ = 0;
    std::size_t fill_ = 0, sent_ = 0;
    std::size_t sizes_[kBatch];
    std::uint8_t frames_[kBatch][kFrameMax];
};

struct Flow {
    TcpPacket client, server;  // addresses and ports filled in

    Flow(const Scene& scene, std::size_t number) {
        client.source = 0x0a630000u + static_cast<std::uint32_t>(number / 60000) + 1;
        client.target = scene.server;
        client.source_port = static_cast<std::uint16_t>(1024 + number % 60000);
        client.target_port = scene.port;
        client.seq = kClientIsn;
        server = {client.target,      client.source, client.target_port,
                  client.source_port, kServerIsn,    kClientIsn + 1,
                  kSyn | kAck,        nullptr,       0};
    }
};

void flood(const Scene& scene, Gun& gun, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
        Flow flow(scene, i);
        flow.client.flags = kSyn;
        gun.fire(0, flow.client);
    }
}

// Many flows side by side, each step for a group of them: so the packets of one direction go out in batches.
void holes(const Scene& scene, Gun& gun, std::size_t count, std::size_t segments, std::size_t size) {
    constexpr auto kRequestSize = static_cast<std::uint32_t>(sizeof(kRequest) - 1);
    const std::string filler(size, 'h');
    for (std::size_t first = 0; first < count; first += kBatch) {
        std::vector<Flow> group;
        for (std::size_t i = first; i < std::min(first + kBatch, count); ++i) group.emplace_back(scene, i);
        const auto fire_all = [&](int side, const auto& change) {
            for (Flow& flow : group) {
                TcpPacket packet = side == 0 ? flow.client : flow.server;
                change(packet);
                gun.fire(side, packet);
            }
        };
        fire_all(0, [](TcpPacket& p) { p.flags = kSyn; });
        fire_all(1, [](TcpPacket&) {});
        const auto data = [&](TcpPacket& p, std::uint32_t offset, const char* text, std::size_t length) {
            p.seq = kClientIsn + 1 + offset;
            p.ack = kServerIsn + 1;
            p.flags = kAck | kPush;
            p.payload = text;
            p.size = length;
        };
        fire_all(0, [&](TcpPacket& p) { data(p, 0, kRequest, kRequestSize); });
        fire_all(1, [&](TcpPacket& p) {
            p.seq = kServerIsn + 1;
            p.ack = kClientIsn + 1 + kRequestSize;
            p.flags = kAck;
        });
        for (std::size_t k = 0; k < segments; ++k) {
            const auto offset = static_cast<std::uint32_t>(kRequestSize + 100 + k * (size + 100));
            fire_all(0, [&](TcpPacket& p) { data(p, offset, filler.data(), size); });
        }
    }
}

int run(int argc, char** argv) {
    if (argc < 10) return 2;
    Scene scene{};
    scene.sockets[0] = packet_socket(argv[2], "eth0");
    scene.sockets[1] = packet_socket(argv[3], "eth0");
    scene.gateways[0] = parse_mac(argv[4]);
    scene.gateways[1] = parse_mac(argv[5]);
    in_addr address{};
    ::inet_pton(AF_INET, argv[6], &address);
    scene.server = ntohl(address.s_addr);
    scene.port = static_cast<std::uint16_t>(std::atoi(argv[7]));
    scene.rate = std::atof(argv[9]);
    const std::size_t count = std::strtoull(argv[8], nullptr, 10);
    Gun gun(scene);
    if (std::string(argv[1]) == "syn")
        flood(scene, gun, count);
    else if (argc > 11)
        holes(scene, gun, count, std::strtoull(argv[10], nullptr, 10), std::strtoull(argv[11], nullptr, 10));
    gun.flush();
    std::printf("%zu\n", gun.sent());
    return 0;
}

}  // namespace
}  // namespace umbra::instruments

int main(int argc, char** argv) { return umbra::instruments::run(argc, argv); }
