// Progress: one line on a terminal, rewritten a few times per second while a long file is read. Silent if disabled.
#pragma once

#include <cstdint>
#include <iosfwd>

#include "base/clock.h"

namespace umbra::offline {

class Progress {
public:
    struct State {
        const char* doing;
        double share;             // of the file, 0 to 1
        std::uint64_t file_size;  // 0: not known
        std::uint64_t packets;
        std::uint64_t flows;
    };

    // out null: silent.
    explicit Progress(std::ostream* out) : out_(out) {}
    ~Progress() { clear(); }
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;

    // Prints unless it did so just before.
    void show(const State& state, TimeNs now);
    // Takes the line away.
    void clear();

private:
    std::ostream* out_;
    const char* doing_ = nullptr;
    TimeNs began_ = 0;
    TimeNs shown_ = 0;
    std::size_t width_ = 0;
};

}  // namespace umbra::offline
