// ReplayShared: what the lanes of one worker share: limits, memory, targets, the connections in use. Owned by the
// Replayer; one thread.
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "base/chunk_buffer.h"
#include "base/room.h"
#include "replay/asio.h"
#include "replay/connection.h"
#include "replay/limits.h"
#include "replay/router.h"
#include "replay/target_table.h"

namespace umbra {

// All connections that are open or being made, in no order.
class ConnectionList {
public:
    explicit ConnectionList(umbra_worker_row& worker) : worker_(worker) {}
    std::size_t size() const { return all_.size(); }
    const std::shared_ptr<Connection>& at(std::size_t index) const { return all_[index]; }
    void add(std::shared_ptr<Connection> connection);
    void make_room() { make_room_for_one(all_); }
    void remove(Connection& connection);
    // Closes one that no request depends on; false: there is none.
    bool evict_idle();

private:
    umbra_worker_row& worker_;
    std::vector<std::shared_ptr<Connection>> all_;
    std::size_t next_victim_ = 0;
};

class MirrorLink;

// Links with bytes to send when the event loop's turn ends. A handler that is still queued keeps it alive.
struct SendSoonList {
    std::vector<MirrorLink*> links;
    bool posted = false;
    void run();
};

// What the mirrors did, beyond the ledger.
struct MirrorAnswers {
    std::array<std::uint64_t, 6> by_class{};  // responses by the first digit of their status
    std::uint64_t connections_made = 0;
};

struct ReplayShared {
    asio::io_context& io;
    Router& router;
    OwnConnections& own;
    umbra_worker_row& worker;
    const ReplayLimits limits;
    ChunkPool chunks{limits.total_queue_bytes};
    TargetTable targets{limits};
    ConnectionList connections{worker};
    std::vector<std::byte> read_buffer = std::vector<std::byte>(64 * 1024);
    std::shared_ptr<SendSoonList> send_soon = std::make_shared<SendSoonList>();
    std::shared_ptr<ServeSoonList> serve_soon = std::make_shared<ServeSoonList>();
    MirrorAnswers answers = {};
    TimeNs now = 0;  // of the latest call that carried a time
    bool stopped = false;
    bool abandoned = false;  // what is left is only destroyed

    void at(TimeNs time) { now = time > now ? time : now; }
};

}  // namespace umbra
