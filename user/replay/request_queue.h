// RequestQueue: the requests of one lane that are not settled yet, oldest first. Their bytes are in the lane's
// ByteQueue. A vector that is consumed from the front: no allocation once it has grown.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/ledger.h"
#include "replay/target_table.h"
#include "wire/http1_response.h"

namespace umbra {

struct QueuedRequest {
    umbra_ledger_row* row = nullptr;
    TargetRef target;
    Outstanding outstanding;     // from its start on
    TimeNs ready_at = 0;         // when it could have been sent
    std::uint64_t received = 0;  // bytes from the client so far
    std::uint64_t unsent = 0;    // bytes for the mirror that are still in the lane's queue
    std::size_t head_left = 0;   // of the client's head, which is not passed on because an edited one is
    wire::ResponseFramer::Method method = wire::ResponseFramer::Method::other;
    bool guard = false;
    bool close = false;  // the client asked for the connection's end
    bool upgrade = false;
    bool whole = false;     // see RequestHead::whole
    bool complete = false;  // its last byte is here
    bool started = false;   // its first byte was sent, or tried
    bool answered = false;  // its response was read to the end

    bool settled() const { return answered && complete && unsent == 0; }
};

class RequestQueue {
public:
    bool empty() const { return first_ == requests_.size(); }
    std::size_t size() const { return requests_.size() - first_; }
    QueuedRequest& front() { return requests_[first_]; }
    const QueuedRequest& front() const { return requests_[first_]; }
    QueuedRequest& back() { return requests_.back(); }
    const QueuedRequest& back() const { return requests_.back(); }
    void push(QueuedRequest request) { requests_.push_back(std::move(request)); }
    void pop_front() {
        requests_[first_++] = {};
        if (empty()) {
            requests_.clear();
            first_ = 0;
        } else if (first_ >= kCompactAt && first_ * 2 >= requests_.size()) {
            requests_.erase(requests_.begin(), requests_.begin() + static_cast<std::ptrdiff_t>(first_));
            first_ = 0;
        }
    }
    void pop_back() {
        requests_.pop_back();
        if (empty()) {
            requests_.clear();
            first_ = 0;
        }
    }

private:
    static constexpr std::size_t kCompactAt = 64;
    std::vector<QueuedRequest> requests_;
    std::size_t first_ = 0;
};

}  // namespace umbra
