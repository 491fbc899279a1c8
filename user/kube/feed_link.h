// FeedLink: the controller's end of the feed: connects to the loader again and again, reads its frames, and writes
// without ever blocking.
#pragma once

#include <poll.h>

#include <optional>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "kube/backoff.h"
#include "kube/frame_reader.h"

namespace umbra::kube {

class FeedLink {
public:
    FeedLink(std::string path, Random random);
    // A socket that is connected; when it ends there is no other.
    explicit FeedLink(UniqueFd connected);

    // Connects when it is time, reads what came, writes what waits.
    void step(TimeNs now);
    std::vector<Json> take() { return std::move(arrived_); }

    bool connected() const { return static_cast<bool>(socket_); }
    bool ended() const { return path_.empty() && !socket_; }
    std::uint64_t connects() const { return connects_; }  // how often a connection was made
    TimeNs connected_at() const { return connected_at_; }

    // Frames are made only while there is room, so that a slow loader costs no memory.
    bool has_room() const { return connected() && waiting_.size() < kEnoughWaiting; }
    bool idle() const { return waiting_.empty(); }
    void send(const std::string& frame) { waiting_ += frame; }

    std::optional<pollfd> wants() const;
    TimeNs wake_at() const { return connected() || path_.empty() ? ~TimeNs{0} : retry_at_; }

private:
    static constexpr std::size_t kEnoughWaiting = 1u << 20;

    void connect(TimeNs now);
    void receive(TimeNs now);
    void write(TimeNs now);
    void lose(TimeNs now, const std::string& cause);

    std::string path_;
    Random random_;
    Backoff backoff_{100 * kMillisecond, 5 * kSecond};
    UniqueFd socket_;
    FrameReader frames_;
    std::string waiting_;
    std::vector<Json> arrived_;
    TimeNs retry_at_ = 0, connected_at_ = 0;
    std::uint64_t connects_ = 0;
    bool said_lost_ = false;
};

}  // namespace umbra::kube
