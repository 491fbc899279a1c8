// RecentAnswers: the newest server packets with payload that were the first of their flows to be seen. Server headers
// are read before the packets that they answer, so on a flow that was open before, the answer may come before the
// question: this keeps it for the moment until then. A fixed table; a newer one takes an older one's place.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>

#include "flow/segment.h"

#include "umbra/abi/limits.h"

namespace umbra {

class RecentAnswers {
public:
    void add(const ServerHeader& header, std::uint64_t hash) {
        Entry& entry = entries_[hash % kEntries];
        entry.header = header;
        const std::size_t size = std::min<std::size_t>(header.prefix.size(), UMBRA_SERVER_PREFIX);
        std::copy_n(header.prefix.begin(), size, entry.prefix.begin());
        entry.size = size;
    }
    // Valid until the next add().
    std::optional<ServerHeader> find(const FlowTuple& tuple, std::uint64_t hash) const {
        const Entry& entry = entries_[hash % kEntries];
        if (entry.header.payload_len == 0 || !(entry.header.tuple == tuple)) return std::nullopt;
        ServerHeader header = entry.header;
        header.prefix = Bytes(entry.prefix.data(), entry.size);
        return header;
    }

private:
    static constexpr std::size_t kEntries = 256;
    struct Entry {
        ServerHeader header;
        std::array<std::byte, UMBRA_SERVER_PREFIX> prefix;
        std::size_t size = 0;
    };
    std::array<Entry, kEntries> entries_{};
};

}  // namespace umbra
