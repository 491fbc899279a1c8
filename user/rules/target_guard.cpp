#include "rules/target_guard.h"

#include <algorithm>

#include "rules/prefix_set.h"

namespace umbra::rules {

namespace {

struct Block {
    const char* prefix;
    const char* what;
};

constexpr const char* kLoopback = "a loopback address";

// The first that contains an address says what it is.
constexpr Block kRefused[] = {
    {"169.254.169.254", "a cloud's metadata service"},
    {"fd00:ec2::254", "a cloud's metadata service"},
    {"100.100.100.200", "a cloud's metadata service"},
    {"168.63.129.16", "a cloud's metadata service"},
    {"169.254.0.0/16", "a link-local address"},
    {"fe80::/10", "a link-local address"},
    {"127.0.0.0/8", kLoopback},
    {"::1", kLoopback},
    {"0.0.0.0/8", "an unspecified address"},
    {"::", "an unspecified address"},
    {"255.255.255.255", "the broadcast address"},
    {"224.0.0.0/4", "a multicast address"},
    {"ff00::/8", "a multicast address"},
};

struct Refused {
    IpPrefix prefix;
    std::string what;
};

const std::vector<Refused>& refused_blocks() {
    static const std::vector<Refused> blocks = [] {
        std::vector<Refused> parsed;
        for (const auto& block : kRefused) parsed.push_back({IpPrefix::parse(block.prefix).value(), block.what});
        return parsed;
    }();
    return blocks;
}

std::string kind_of(const IpAddress& address) {
    for (const auto& block : refused_blocks()) {
        if (block.prefix.contains(address)) return block.what;
    }
    return {};
}

Result<std::vector<IpPrefix>> parse_blocks(const char* option, const std::vector<std::string>& texts) {
    std::vector<IpPrefix> blocks;
    for (const auto& text : texts) {
        const auto block = IpPrefix::parse(text);
        if (!block) {
            return Error{ErrorCode::usage, std::string("read, ") + option + " '" + text + "': no address block",
                         "write an address such as 127.0.0.1, or a block such as 10.0.0.0/8 or fd00::/8"};
        }
        blocks.push_back(*block);
    }
    return normalized(std::move(blocks));
}

}  // namespace

bool is_loopback(const IpAddress& address) { return kind_of(address) == kLoopback; }

std::string TargetGuard::refuses(const Endpoint& endpoint, bool loopback_destination) const {
    if (std::find(own.begin(), own.end(), endpoint) != own.end()) return "where the agent itself listens";
    if (!only.empty() && !contains(only, endpoint.address)) return "outside of --only-targets";
    const auto kind = kind_of(endpoint.address);
    if (kind.empty() || contains(allowed, endpoint.address)) return {};
    return kind == kLoopback && loopback_destination ? std::string() : kind;
}

Result<TargetGuard> target_guard(const std::vector<std::string>& allowed, const std::vector<std::string>& only) {
    auto allowed_blocks = parse_blocks("--allow-targets", allowed);
    if (!allowed_blocks) return allowed_blocks.error();
    auto only_blocks = parse_blocks("--only-targets", only);
    if (!only_blocks) return only_blocks.error();
    return TargetGuard{std::move(*allowed_blocks), std::move(*only_blocks), {}};
}

}  // namespace umbra::rules
