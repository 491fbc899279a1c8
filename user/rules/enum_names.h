// The words of MirrorPolicy's enumerations, in the order of their values: read, written to plans and printed by them.
#pragma once

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "rules/mirror_settings.h"

namespace umbra::rules {

template <class Enum, std::size_t N>
struct EnumNames {
    std::array<std::string_view, N> words;

    std::string name(Enum value) const { return std::string(words[static_cast<std::size_t>(value)]); }
    std::optional<Enum> find(std::string_view word) const {
        const auto found = std::find(words.begin(), words.end(), word);
        if (found == words.end()) return std::nullopt;
        return static_cast<Enum>(found - words.begin());
    }
};

inline constexpr EnumNames<Protocol, 4> kProtocolNames{{"automatic", "http1", "http2", "raw"}};
inline constexpr EnumNames<Sampling::By, 3> kSamplingNames{{"flow", "request", "header"}};
inline constexpr EnumNames<HostPolicy, 3> kHostPolicyNames{{"keep", "shadow", "literal"}};
inline constexpr EnumNames<RedactedItem::Action, 3> kActionNames{{"drop", "hash", "replace"}};
inline constexpr EnumNames<ClientAddress, 3> kClientAddressNames{{"hidden", "forwardedFor", "proxyV2"}};
inline constexpr EnumNames<Balance, 3> kBalanceNames{{"roundRobin", "leastOutstanding", "clientHash"}};
inline constexpr EnumNames<Order, 2> kOrderNames{{"connection", "request"}};

}  // namespace umbra::rules
