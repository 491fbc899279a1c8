// Sends frames with wrong bytes across a bridge, from a TAP to a peer and back, and compares what arrives with what was
// sent: wire_check NETNS_OF_PEER MAC_OF_PEER CLIENT SERVER FRAMES SEED. Makes the TAP "wild" in its own namespace,
// prints "ready", and waits for a line on standard input (by then the TAP should be a port of the bridge). CLIENT and
// SERVER, ADDRESS:PORT, are the ends of the flow whose frames are damaged; Ethernet addresses never are, so the bridge
// forwards. Prints {"sent", "arrived", "altered", "digest"} for each direction; the digest is of the frames that
// arrived, in order: what the kernel itself refuses shows in it as well, so runs of the same seed can be compared. A
// batch ends with a marker frame; all goes through one CPU, so nothing overtakes it.
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <openssl/evp.h>
#include <poll.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "bpf/mutator.h"
#include "instruments/raw_packets.h"

namespace umbra::instruments {
namespace {

using test::Frame;
constexpr std::size_t kBatch = 64, kLinkHeader = 12, kRoom = 65536;
constexpr std::uint16_t kMarkerType = 0x88b5;  // for local experiments
constexpr int kPatienceMs = 20'000;
const Mac kTapMac{2, 0, 0, 0, 0x77, 1}, kFarMac{2, 0, 0, 0, 0x77, 2};

int open_tap() {
    const int fd = ::open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
    ifreq request{};
    std::strcpy(request.ifr_name, "wild");
    request.ifr_flags = IFF_TAP | IFF_NO_PI;
    if (fd < 0 || ::ioctl(fd, TUNSETIFF, &request)) broken("make TAP wild");
    return fd;
}

// One end of the path: writes frames, reads those that came from a given sender.
struct End {
    int fd = -1;
    bool packet_socket = false;

    void write(const Frame& frame) const {
        while (::write(fd, frame.data(), frame.size()) < 0) {
            if (errno == EINVAL) return;  // the kernel takes no such frame; it will not arrive in any run
            if (errno != EAGAIN && errno != ENOBUFS) broken("write a frame");
            pollfd room{fd, POLLOUT, 0};
            ::poll(&room, 1, 10);
        }
    }
    // Empty: nothing of this sender yet.
    Frame read(const Mac& sender) const {
        for (;;) {
            Frame frame = read_any();
            if (frame.size() < kLinkHeader || std::equal(sender.begin(), sender.end(), frame.begin() + 6)) return frame;
        }
    }

private:
    Frame read_any() const {
        Frame frame(kRoom);
        sockaddr_ll from{};
        alignas(cmsghdr) char control[CMSG_SPACE(sizeof(tpacket_auxdata))];
        iovec part{frame.data(), frame.size()};
        msghdr message{&from, sizeof(from), &part, 1, control, sizeof(control), 0};
        const ssize_t got = packet_socket ? ::recvmsg(fd, &message, MSG_DONTWAIT) : ::read(fd, frame.data(), kRoom);
        frame.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
        if (!packet_socket || got <= 0) return frame;
        if (from.sll_pkttype == PACKET_OUTGOING) return Frame(14);  // own, and of no sender that is asked for
        restore_tag(frame, message);
        return frame;
    }
    // The kernel hands over a VLAN tag beside the frame.
    static void restore_tag(Frame& frame, msghdr& message) {
        for (cmsghdr* header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header)) {
            if (header->cmsg_level != SOL_PACKET || header->cmsg_type != PACKET_AUXDATA) continue;
            tpacket_auxdata extra{};
            std::memcpy(&extra, CMSG_DATA(header), sizeof(extra));
            if (!(extra.tp_status & TP_STATUS_VLAN_VALID)) return;
            const std::uint8_t tag[] = {
                static_cast<std::uint8_t>(extra.tp_vlan_tpid >> 8), static_cast<std::uint8_t>(extra.tp_vlan_tpid),
                static_cast<std::uint8_t>(extra.tp_vlan_tci >> 8), static_cast<std::uint8_t>(extra.tp_vlan_tci)};
            frame.insert(frame.begin() + kLinkHeader, std::begin(tag), std::end(tag));
        }
    }
};

void address(Frame& frame, const Mac& to, const Mac& from) {
    std::copy(to.begin(), to.end(), frame.begin());
    std::copy(from.begin(), from.end(), frame.begin() + 6);
}

class Direction {
public:
    Direction(End source, End sink, Mac to, Mac from)
        : source_(source), sink_(sink), to_(to), from_(from), digest_(EVP_MD_CTX_new()) {
        EVP_DigestInit_ex(digest_, EVP_sha256(), nullptr);
    }

    void run(test::Mutator& mutator, std::size_t frames) {
        for (std::size_t done = 0; done < frames; done += kBatch) {
            std::vector<Frame> batch(std::min(kBatch, frames - done));
            for (Frame& frame : batch) {
                frame = mutator.next(kLinkHeader);
                address(frame, to_, from_);
                source_.write(frame);
            }
            sent_ += batch.size();
            Frame marker(60);
            address(marker, to_, from_);
            marker[12] = kMarkerType >> 8;
            marker[13] = kMarkerType & 0xff;
            for (std::size_t i = 0; i < 8; ++i) marker[14 + i] = static_cast<std::uint8_t>(done >> (8 * i));
            std::fill(marker.begin() + 22, marker.end(), std::uint8_t{0x5a});
            source_.write(marker);
            compare(batch, marker);
        }
    }
    void print(const char* name, const char* end) {
        unsigned char out[EVP_MAX_MD_SIZE];
        EVP_DigestFinal_ex(digest_, out, nullptr);
        std::printf("\"%s\": {\"sent\": %zu, \"arrived\": %zu, \"altered\": %zu, \"digest\": \"", name, sent_, arrived_,
                    altered_);
        for (int i = 0; i < 16; ++i) std::printf("%02x", out[i]);
        std::printf("\"}%s", end);
    }

private:
    // What arrives must be frames of the batch, in their order.
    void compare(const std::vector<Frame>& batch, const Frame& marker) {
        for (auto expected = batch.begin();;) {
            const Frame frame = sink_.read(from_);
            if (frame.empty()) {
                pollfd input{sink_.fd, POLLIN, 0};
                if (::poll(&input, 1, kPatienceMs) == 0) broken("a marker did not arrive");
                continue;
            }
            if (frame == marker) return;
            ++arrived_;
            EVP_DigestUpdate(digest_, frame.data(), frame.size());
            const auto found = std::find(expected, batch.end(), frame);
            if (found == batch.end())
                ++altered_;
            else
                expected = found + 1;
        }
    }

    End source_, sink_;
    Mac to_, from_;
    EVP_MD_CTX* digest_;
    std::size_t sent_ = 0, arrived_ = 0, altered_ = 0;
};

void use_one_cpu() {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(::sched_getcpu(), &set);
    ::sched_setaffinity(0, sizeof(set), &set);
}

int run(int argc, char** argv) {
    if (argc < 7) return 2;
    use_one_cpu();
    const End tap{open_tap(), false};
    const End peer{packet_socket(argv[1], "eth0"), true};
    const int one = 1, room = 64 << 20;
    ::setsockopt(peer.fd, SOL_PACKET, PACKET_AUXDATA, &one, sizeof(one));
    ::setsockopt(peer.fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
    std::puts("ready");
    std::fflush(stdout);
    if (std::getchar() == EOF) return 2;
    const std::size_t frames = std::strtoull(argv[5], nullptr, 10);
    test::Mutator mutator(test::Mutator::seeds({{argv[3], argv[4]}}, false), std::strtoull(argv[6], nullptr, 10));
    Direction there(tap, peer, parse_mac(argv[2]), kTapMac), back(peer, tap, kTapMac, kFarMac);
    constexpr std::size_t kTurn = 10'000;
    for (std::size_t done = 0; done < frames; done += kTurn) {
        there.run(mutator, std::min(kTurn, frames - done) / 2);
        back.run(mutator, std::min(kTurn, frames - done) / 2);
    }
    std::printf("{");
    there.print("there", ", ");
    back.print("back", "}\n");
    return 0;
}

}  // namespace
}  // namespace umbra::instruments

int main(int argc, char** argv) { return umbra::instruments::run(argc, argv); }
