// LossWorld: clients and servers that talk HTTP/1 over many connections, and a capture that loses some of what they
// send. Reassembly and protocol are the real ones; at their end every request is compared with what was sent.
// It knows for each request whether a byte of it was lost, and when a boundary was proven again.
#pragma once

#include <array>
#include <deque>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "protocol/flow_protocol.h"
#include "reassembly/reassembler.h"

namespace umbra::test {

struct LossRates {
    double clones = 0;
    double headers = 0;  // of the server
};

struct SentRequest {
    std::uint64_t id = 0;
    std::string text;
    std::size_t start = 0;  // in the client's stream
    bool damaged = false;   // a clone with bytes of it was lost
    bool excused = false;   // whole, but before the next proven boundary: may be missing
    bool arrived = false;
    std::size_t end() const { return start + text.size(); }
};

struct LossTotals {
    std::uint64_t requests = 0, damaged = 0, arrived = 0, excused_missing = 0;
    std::uint64_t connections = 0, broken_connections = 0, lost_clones = 0, lost_headers = 0;
    // Of the breaks that another exchange followed: by the number of whole requests that were missing before the first
    // one arrived again; the last counts that many and more. alone: in flights of one request.
    std::array<std::uint64_t, 4> skipped{}, skipped_alone{};
    std::vector<std::string> wrong;  // whatever may never happen
};

// A request whose target carries the hash of its body.
std::string hashed_request(std::mt19937& random, std::uint64_t id);

class LossWorld {
public:
    LossWorld(LossRates rates, unsigned seed);
    ~LossWorld();

    LossTotals run(std::uint64_t requests);
    const umbra_ledger_row& row() const { return row_; }
    const umbra_worker_row& worker() const { return worker_; }

private:
    class Observer;
    class Connection;
    friend class Connection;

    bool loses(double rate) { return std::uniform_real_distribution<>(0, 1)(random_) < rate; }
    void capture(const Segment& segment);
    bool header(const ServerHeader& header);
    void poll();
    void pass_time();

    LossRates rates_;
    std::mt19937 random_;
    umbra_ledger_row row_{};
    umbra_worker_row worker_{};
    LossTotals totals_;
    TimeNs now_ = 100 * kSecond;
    TimeNs ticked_ = 0;
    std::uint64_t next_id_ = 1;
    std::uint16_t next_port_ = 10000;
    struct Captured {
        Segment segment;
        std::string payload;
    };
    std::deque<Captured> queue_;  // cloned, not read yet
    std::unique_ptr<Observer> observer_;
    std::unique_ptr<Reassembler> reassembler_;
};

}  // namespace umbra::test
