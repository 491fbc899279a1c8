// Script: what a client and the server's application do on one tuple, as numbers: what a random generator writes, a
// file keeps, a shrinker makes smaller and the oracle plays. Says nothing about what should come of it.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace umbra::differential {

inline constexpr int kAbsent = std::numeric_limits<int>::min();

enum StepKind : int { kPacket, kRead, kWrite, kShutdown, kAckNow };
enum TsecrKind : int { kLiveTsecr, kZeroTsecr, kForeignTsecr };
enum BadOption : int { kNoBadOption, kZeroLength, kPastEnd, kUnknownKind, kMd5Option, kOnlyEnd, kBadOptions };
enum IpExtra : int { kPlainIp, kIpNop, kIpRecordRoute, kIpSourceRoute, kIpExtras };  // IPv6: extension headers

struct Step {
    int kind = kPacket;
    int conn = 0;     // which connection of the tuple: chooses the ISN and the content
    int at = 0;       // where its payload begins, relative to the connection's first byte; a SYN lies one before
    int len = 0;      // payload; also of kWrite
    int content = 0;  // 0: the client's true bytes, otherwise contradicting ones
    int flags = 0x10;
    int ack = 0;  // relative to the next byte of the server
    int window = 64000;
    int urgent = 0;
    int tsval = kAbsent;  // relative to the client's clock
    int tsecr = kLiveTsecr;
    int scale = kAbsent;
    int mss = kAbsent;
    int sack = 0;  // permitted
    int option = kNoBadOption;
    int doff = 0;  // words; 0: right
    int bad_tcp = 0;
    int bad_ip = 0;
    int ip_len = 0;  // added to the length field
    int padding = 0;
    int ip_extra = kPlainIp;
    int reserved = 0;

    bool operator==(const Step&) const = default;
};

struct Script {
    int ipv6 = 0;
    int fast_open = 0;  // the server takes data on a SYN
    int buffer = 0;     // which receive buffer: see kReceiveBuffers
    int late = 0;       // the application reads when the script says so, or at its end
    int isn = 1000;
    int isn_step = 100000;  // from one connection of the tuple to the next
    std::vector<Step> steps;

    bool operator==(const Script&) const = default;
    std::uint32_t first_byte(int conn) const {
        return static_cast<std::uint32_t>(isn) +
               static_cast<std::uint32_t>(conn) * static_cast<std::uint32_t>(isn_step) + 1;
    }
};

// SO_RCVBUF of the listening sockets; 0: the system's default.
inline constexpr int kReceiveBuffers[] = {0, 2304, 6000};

template <class Owner>
struct Field {
    const char* name;
    int Owner::*member;
};
std::span<const Field<Step>> step_fields();
std::span<const Field<Script>> script_fields();

// One line for the script, one per step; fields that have their default are left out.
std::string to_text(const Script& script);
std::optional<Script> parse_script(std::string_view text);

// The byte of `conn` at `at` in this content.
char content_byte(int conn, int at, int content);

}  // namespace umbra::differential
