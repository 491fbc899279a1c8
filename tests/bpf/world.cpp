#include "bpf/world.h"

#include "umbra/abi/rule.h"

namespace umbra::test {

namespace {

umbra_match match_of(std::initializer_list<std::uint16_t> slots, std::uint8_t side = UMBRA_SIDE_LOCAL,
                     std::uint32_t owner = 0) {
    umbra_match match{};
    match.side = side;
    match.owner = owner;
    for (const std::uint16_t slot : slots) match.candidates[match.count++] = slot;
    return match;
}

}  // namespace

loader::GenerationContent world() {
    constexpr std::uint32_t kMirror = UMBRA_RULE_MIRROR, kSampled = UMBRA_RULE_MIRROR | UMBRA_RULE_SAMPLED;
    loader::GenerationContent content;
    content.rules = {
        {0, {kMirror, 0, 1, 0}},  {1, {kMirror | UMBRA_RULE_RESTRICTED, 0, 2, 0}},
        {2, {0, 0, 3, 0}},        {3, {kMirror | UMBRA_RULE_CONDITIONAL, 0, 4, 0}},
        {4, {kSampled, 0, 5, 0}}, {5, {kSampled, 0x80000000u, 6, 0}},
    };
    content.sources = {{1, *IpPrefix::parse("10.1.0.0/16")}, {1, *IpPrefix::parse("fd01::/16")}};
    const auto add = [&](const char* endpoint, const umbra_match& match) {
        content.endpoints[*Endpoint::parse(endpoint)] = match;
    };
    add("10.0.0.10:80", match_of({0}));
    add("[fd00::10]:80", match_of({0}));
    add("10.0.0.11:80", match_of({0}, UMBRA_SIDE_BEHIND, kLoopback));
    add("10.0.0.12:80", match_of({0}, UMBRA_SIDE_BEHIND, kOtherDevice));
    add("10.0.0.13:80", match_of({0}, UMBRA_SIDE_LOCAL, kOtherDevice));
    add("10.0.0.14:80", match_of({0}, UMBRA_SIDE_BEHIND_PORT, kBridge));
    add("10.0.0.20:80", match_of({1, 0}));
    add("[fd00::20]:80", match_of({1}));
    add("10.0.0.21:80", match_of({1}));
    add("10.0.0.22:80", match_of({2, 0}));
    add("10.0.0.23:80", match_of({3, 2}));
    add("10.0.0.24:80", match_of({1, 2, 0}));
    add("10.0.0.25:80", match_of({4}));
    add("10.0.0.26:80", match_of({3, 0}));
    add("10.0.0.27:80", match_of({5}));
    return content;
}

}  // namespace umbra::test
