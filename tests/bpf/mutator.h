// Mutator: frames of a flow, both directions, some with tags, options and extension headers, with a few wrong bytes.
// The same seed gives the same frames. Callers may keep the first bytes of a frame as they are.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "bpf/packet_builder.h"

namespace umbra::test {

struct FlowEnds {
    std::string client, server;  // ADDRESS:PORT
};

class Mutator {
public:
    Mutator(std::vector<Frame> seeds, std::uint64_t seed) : seeds_(std::move(seeds)), random_(seed) {}

    // Nothing is changed, and nothing cut off, before this offset.
    Frame next(std::size_t keep = 0) {
        Frame frame = seeds_[draw(seeds_.size())];
        for (std::size_t changes = 1 + draw(4); changes > 0; --changes) change(frame, keep);
        return frame;
    }
    std::size_t draw(std::size_t below) { return random_() % below; }

    static std::vector<Frame> seeds(const std::vector<FlowEnds>& flows, bool with_bare_ip) {
        std::vector<Frame> frames;
        for (const FlowEnds& ends : flows)
            for (const bool reply : {false, true}) add_seeds(frames, ends, reply, with_bare_ip);
        return frames;
    }

private:
    static void add_seeds(std::vector<Frame>& frames, const FlowEnds& ends, bool reply, bool with_bare_ip) {
        const bool v6 = ends.server.front() == '[';
        PacketSpec spec;
        spec.source = reply ? ends.server : ends.client;
        spec.target = reply ? ends.client : ends.server;
        spec.payload = "GET / HTTP/1.1\r\n\r\n";
        frames.push_back(build(spec));
        spec.tcp_options.assign(12, 1);
        spec.tags = {{0x88a8, 1}, {}};
        frames.push_back(build(spec));
        spec.tags.clear();
        spec.ip_options.assign(v6 ? 0 : 8, 1);
        if (v6) spec.extensions = {Extension::options(0), Extension::fragment(0), Extension::options(60, 1)};
        frames.push_back(build(spec));
        spec.link_header = false;
        if (with_bare_ip) frames.push_back(build(spec));
    }
    // Headers are where the parser looks: most changes go there, many of them to interesting values.
    void change(Frame& frame, std::size_t keep) {
        static constexpr std::uint8_t kValues[] = {0, 1, 6, 43, 44, 51, 60, 0x45, 0x46, 0x60, 0x81, 0x88, 0x7f, 0xff};
        if (draw(10) == 0) {
            frame.resize(std::max({std::size_t{14}, keep, draw(frame.size() + 1)}));
            return;
        }
        const std::size_t end = std::min<std::size_t>(frame.size(), 80);
        if (end <= keep) return;
        std::uint8_t& byte = frame[keep + draw(end - keep)];
        switch (draw(3)) {
            case 0:
                byte = kValues[draw(std::size(kValues))];
                break;
            case 1:
                byte ^= static_cast<std::uint8_t>(1u << draw(8));
                break;
            default:
                byte = static_cast<std::uint8_t>(draw(256));
        }
    }

    std::vector<Frame> seeds_;
    std::mt19937_64 random_;
};

}  // namespace umbra::test
