// Pipeline: all that a worker holds of the traffic: flows, requests, connections, the plan it routes by. And what
// becomes of it when memory runs out.
//
// An allocation that fails inside a call leaves state that nobody can vouch for, and a flow shares tables, pools and
// lists with all others. So the pipeline sheds everything: each connection to a mirror is reset, which no mirror takes
// for an end; what was in flight is counted as Reason::memory; the stages are made anew. A reserve that is let go first
// feeds that. If not even this succeeds, the process ends with exit code 1 and a message; the loader starts another.
#pragma once

#include <memory>
#include <new>
#include <utility>

#include "reassembly/reassembler.h"
#include "replay/replayer.h"
#include "terminator/flow_maps.h"
#include "terminator/plan_view.h"
#include "terminator/session.h"

namespace umbra {

class Pipeline {
public:
    // What it works with; all of it outlives the pipeline.
    struct Parts {
        asio::io_context& io;
        umbra_ledger_row* ledger;  // UMBRA_MAX_RULES rows
        umbra_worker_row& row;
        int muted_fd;
        int own_fd;
        Mode mode;
        ReassemblyLimits reassembly;
        ReplayLimits replay;
        ProtocolLimits protocol;
    };
    // Once, before the first: OpenSSL does not survive a lack of memory while it makes its own tables.
    static void prepare_process();
    explicit Pipeline(const Parts& parts);
    ~Pipeline();
    Pipeline(const Pipeline&) = delete;
    Pipeline& operator=(const Pipeline&) = delete;

    // An error changes nothing.
    Result<void> use_plan(const PlanMessage& message);
    // References are good until a step fails.
    PlanView& plan() { return plan_; }
    Reassembler& reassembler() { return stages_->reassembler; }
    Replayer& replayer() { return stages_->replayer; }

    // Calls step(). False: memory ran out inside, everything was shed, and the pipeline is as new but for its plan.
    template <class Step>
    bool attempt(Step&& step) {
        try {
            std::forward<Step>(step)();
            return true;
        } catch (const std::bad_alloc&) {
        }
        shed();
        return false;
    }

private:
    struct Stages {
        explicit Stages(Pipeline& pipeline);
        Replayer replayer;
        SessionFactory sessions;
        Reassembler reassembler;
    };
    void shed() noexcept;
    bool rebuild() noexcept;
    void report() noexcept;

    const Parts parts_;
    PlanView plan_;
    MutedFlows muted_;
    OwnConnectionMap own_;
    std::unique_ptr<Stages> stages_;
    std::unique_ptr<std::byte[]> reserve_;
    TimeNs reported_at_ = 0;
    std::uint64_t unreported_ = 0;
};

}  // namespace umbra
