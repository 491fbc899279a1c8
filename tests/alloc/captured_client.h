// CapturedClient: one connection to an origin as a capture brings it: what the client and its server say, segment by
// segment. Each is one event of the pipeline.
#pragma once

#include <functional>
#include <string_view>

#include "flow/segment.h"

namespace umbra::test {

class CapturedClient {
public:
    struct Sink {
        std::function<void(const Segment&)> segment;
        std::function<void(const ServerHeader&)> server;
        TimeNs& now;
    };
    CapturedClient(Sink sink, FlowTuple tuple) : sink_(std::move(sink)), tuple_(tuple) {}

    void connect();
    // In segments; swapped: the second one first.
    void say(std::string_view text, bool swapped = false);
    // What the client says and the capture loses.
    void lose(std::string_view text) { said_ += static_cast<std::uint32_t>(text.size()); }
    void acknowledge() { server({}, kAck); }
    // The beginning of an answer, which acknowledges everything.
    void answer();
    void finish();

private:
    void segment(std::uint32_t at, std::string_view payload, std::uint8_t flags);
    void server(std::string_view payload, std::uint8_t flags);

    Sink sink_;
    FlowTuple tuple_;
    std::uint32_t said_ = 0xfffff000u;  // wraps
    std::uint32_t answered_ = 5000;
};

}  // namespace umbra::test
