// A case of the flow targets: a client's bytes, what happens between them, and how the surroundings behave.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "fuzz/property.h"
#include "protocol/flow_protocol.h"

namespace umbra::fuzz {

enum class EventKind : std::uint8_t { ok, informational, switching, not_http, gap };
constexpr unsigned kEventKinds = 5;
constexpr std::size_t kMaxEvents = 16, kSmallHead = 300, kFewStreams = 3;

struct Event {
    std::size_t at;
    EventKind kind;
};

// Input: flags, a seed for the pieces, a number of events with two bytes of position and one of kind each, the bytes.
struct Case {
    // opening: bytes of the client before those of the input.
    explicit Case(Input& input, std::string_view opening = "") {
        flags = input.u8();
        seed = input.u8();
        const std::size_t count = input.u8() % kMaxEvents;
        for (std::size_t i = 0; i < count; ++i) {
            const std::size_t at = input.u16();
            events.push_back({at, static_cast<EventKind>(input.u8() % kEventKinds)});
        }
        text = std::string(opening) + std::string(as_text(input.rest()));
        bytes = text;
        for (Event& event : events) event.at = std::min(event.at, bytes.size());
        std::stable_sort(events.begin(), events.end(), [](const Event& a, const Event& b) { return a.at < b.at; });
    }
    OpenKind open() const { return (flags & 1) != 0 ? OpenKind::midstream : OpenKind::handshake; }
    Case(const Case&) = delete;
    Case& operator=(const Case&) = delete;
    ProtocolLimits limits() const {
        ProtocolLimits out;
        if ((flags & 2) == 0) return out;
        out.head_bytes = out.header_list_bytes = kSmallHead;
        out.header_block_bytes = 2 * kSmallHead;
        out.open_streams = kFewStreams;
        return out;
    }
    bool refuses(std::string_view target) const { return (flags & 4) != 0 && target.size() % 2 == 0; }
    bool two_rows() const { return (flags & 8) != 0; }
    CloseKind close() const { return static_cast<CloseKind>((flags >> 4) % 5); }
    // Nothing is skipped: what is handed on begins where the input begins.
    bool from_the_start() const {
        const auto is_gap = [](const Event& event) { return event.kind == EventKind::gap; };
        return open() == OpenKind::handshake && (flags & 4) == 0 && std::none_of(events.begin(), events.end(), is_gap);
    }

    std::uint8_t flags = 0;
    std::uint8_t seed = 0;
    std::optional<Detection> fixed;
    bool takes_http2 = false;
    std::vector<Event> events;
    std::string text;
    std::string_view bytes;
};

}  // namespace umbra::fuzz
