// LineSplitter: bytes to lines, bounded.
#pragma once

#include <string>
#include <string_view>

namespace umbra::kube {

class LineSplitter {
public:
    explicit LineSplitter(std::size_t most) : most_(most) {}

    // Calls take(line) for each whole line; take returns false to stop. False: stopped, or a line crossed the limit.
    template <class Take>
    bool add(std::string_view bytes, Take take) {
        while (true) {
            const auto end = bytes.find('\n');
            const auto part = bytes.substr(0, end);
            if (rest_.size() + part.size() > most_) {
                too_long_ = true;
                return false;
            }
            if (end == std::string_view::npos) {
                rest_ += part;
                return true;
            }
            const bool blank = rest_.empty() && (part.empty() || part == "\r");
            const bool go_on = blank || (rest_.empty() ? take(part) : take(std::string_view(rest_ += part)));
            rest_.clear();
            if (!go_on) return false;
            bytes.remove_prefix(end + 1);
        }
    }
    bool too_long() const { return too_long_; }

private:
    std::size_t most_;
    std::string rest_;
    bool too_long_ = false;
};

}  // namespace umbra::kube
