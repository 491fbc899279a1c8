// DrainBarrier: answers "must every packet that was cloned before this server header have been read by now?" for
// the queues of one worker. A queue has given up its older packets once it was seen empty, or once as many packets
// were read from it as it can hold. Values in, values out.
#pragma once

#include <array>
#include <cstdint>

namespace umbra {

class DrainBarrier {
public:
    static constexpr std::size_t kQueues = 2;

    explicit DrainBarrier(std::uint32_t queue_length) : queue_length_(queue_length) {}

    // headers: how many server headers were handled before the reading that follows. Ignored while an earlier
    // number still waits.
    void begin(std::uint64_t headers) {
        if (!pending_) headers_ = headers;
        pending_ = true;
    }
    void read(std::size_t queue, std::uint32_t packets, bool empty) {
        auto& progress = progress_[queue];
        progress.packets += packets;
        progress.passed |= empty || progress.packets >= queue_length_;
    }
    bool passed() const { return pending_ && progress_[0].passed && progress_[1].passed; }
    // The number given to begin(); the next begin() counts again.
    std::uint64_t take() {
        pending_ = false;
        progress_ = {};
        return headers_;
    }

private:
    struct Progress {
        std::uint32_t packets = 0;
        bool passed = false;
    };
    std::uint32_t queue_length_;
    std::uint64_t headers_ = 0;
    bool pending_ = false;
    std::array<Progress, kQueues> progress_{};
};

}  // namespace umbra
