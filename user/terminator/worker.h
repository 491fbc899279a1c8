// Worker: one thread's whole data path. Both directions of a flow meet here, so workers share nothing: each has its
// capture queue, its ring, its flows and its connections. It polls while there is work and sleeps when there is none.
//
// Order of reading: before a packet is handled, the ring is drained. A server's header is in the ring before the
// client can have answered it, so a client's packet never overtakes the header that it answers. The other way round
// an ACK may overtake the packets it acknowledges: reassembly learns by on_capture_drained() when they must have come.
//
// When memory runs out inside a turn of the event loop, the pipeline sheds what it holds, and the worker goes on.
#pragma once

#include <asio.hpp>
#include <memory>

#include "base/ledger.h"
#include "capture/drain_barrier.h"
#include "capture/loss_injector.h"
#include "capture/queue_source.h"
#include "capture/ring_source.h"
#include "capture/wakeup.h"
#include "terminator/pipeline.h"
#include "terminator/terminator.h"

namespace umbra {

class Worker : private RecordSink {
public:
    struct Setup {
        WorkerDescriptors descriptors;
        umbra_ledger_row* ledger;  // UMBRA_MAX_RULES rows
        umbra_worker_row& row;
        int muted_fd;
        int own_fd;
        std::uint32_t queue_length;
        bool one_sided;
        std::uint32_t index;
        InjectedLoss injected_loss;
        ReassemblyLimits reassembly;
        ReplayLimits replay;
        ProtocolLimits protocol;
    };
    static Result<std::unique_ptr<Worker>> make(Setup setup);
    ~Worker() override;

    // Runs until stop(). Everything else is called through post() from other threads.
    void run();
    asio::io_context& io() { return io_; }
    Result<void> use_plan(const PlanMessage& message);
    // Finishes what is being replayed for at most `patience`, drops the rest as shutdown, and returns from run().
    void stop(TimeNs patience);

private:
    struct Reading {
        unsigned packets;
        bool empty;
    };
    Worker(Setup setup, Wakeup wakeup);
    void on_record(const umbra_server_record& record) override;
    void on_bad_record() override;

    void begin();
    void poll();
    Reading read_queue(QueueSource& queue);
    void handle(const CapturedPacket& packet);
    void count_injected_loss(const Segment& segment);
    void schedule_poll();
    void poll_after(TimeNs delay);
    void await_wakeup();
    void tick();
    void finish(TimeNs deadline);

    Setup setup_;
    umbra_worker_row& row_;
    asio::io_context io_{1};
    QueueSource queue_;
    QueueSource bare_queue_;
    std::unique_ptr<RingSource> ring_;
    Wakeup wakeup_;
    asio::posix::stream_descriptor wakeup_descriptor_;
    asio::steady_timer poll_timer_{io_};
    asio::steady_timer tick_timer_{io_};
    Pipeline pipeline_;
    DrainBarrier barrier_;
    LossInjector loss_;
    TimeNs now_ = 0;
    unsigned idle_polls_ = 0;
    std::uint64_t life_ = 0;  // of the pipeline's stages: what was posted in an earlier one is void
    bool stopping_ = false;
};

}  // namespace umbra
