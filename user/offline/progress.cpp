#include "offline/progress.h"

#include <fmt/format.h>

#include <ostream>
#include <string>

namespace umbra::offline {

namespace {

constexpr TimeNs kInterval = 300 * kMillisecond;

}  // namespace

void Progress::show(const State& state, TimeNs now) {
    if (!out_) return;
    if (state.doing != doing_) {
        doing_ = state.doing;
        began_ = shown_ = now;
    }
    if (now - shown_ < kInterval) return;
    shown_ = now;
    const double seconds = static_cast<double>(now - began_) / static_cast<double>(kSecond);
    const double megabytes = state.share * static_cast<double>(state.file_size) / 1e6;
    const std::string line = fmt::format("{} {:5.1f} %, {} packets, {} flows, {:.0f} MB/s", state.doing,
                                         state.share * 100, state.packets, state.flows, megabytes / seconds);
    *out_ << '\r' << line << std::string(width_ > line.size() ? width_ - line.size() : 0, ' ') << std::flush;
    width_ = line.size();
}

void Progress::clear() {
    if (!out_ || width_ == 0) return;
    *out_ << '\r' << std::string(width_, ' ') << '\r' << std::flush;
    width_ = 0;
}

}  // namespace umbra::offline
