#include "terminator/worker.h"

#include "base/thread_scratch.h"
#include "flow/decode.h"
#include "flow/server_record.h"

namespace umbra {

namespace {

constexpr unsigned kPacketsPerPoll = 512;          // then sockets get their turn
constexpr TimeNs kBusyPoll = kMillisecond / 2;     // while packets come
constexpr TimeNs kWaitingPoll = 2 * kMillisecond;  // while bytes wait for the server's ACK only
constexpr unsigned kIdlePolls = 20;                // then sleep until woken
constexpr TimeNs kTick = 50 * kMillisecond;

}  // namespace

Result<std::unique_ptr<Worker>> Worker::make(Setup setup) {
    auto wakeup =
        Wakeup::make({setup.descriptors.queue.get(), setup.descriptors.bare_queue.get(), setup.descriptors.ring.get()});
    if (!wakeup) return wakeup.error();
    std::unique_ptr<Worker> worker(new Worker(std::move(setup), std::move(*wakeup)));
    auto ring = RingSource::make(std::move(worker->setup_.descriptors.ring), *worker);
    if (!ring) return ring.error();
    worker->ring_ = std::move(*ring);
    return worker;
}

Worker::Worker(Setup setup, Wakeup wakeup)
    : setup_(std::move(setup)),
      row_(setup_.row),
      queue_(std::move(setup_.descriptors.queue), LinkType::ethernet),
      bare_queue_(std::move(setup_.descriptors.bare_queue), LinkType::raw_ip),
      wakeup_(std::move(wakeup)),
      wakeup_descriptor_(io_, wakeup_.fd()),
      pipeline_({io_, setup_.ledger, row_, setup_.muted_fd, setup_.own_fd,
                 setup_.one_sided ? Mode::one_sided : Mode::strict, setup_.reassembly, setup_.replay, setup_.protocol}),
      barrier_(setup_.queue_length),
      loss_(setup_.injected_loss, setup_.index) {}

Worker::~Worker() { wakeup_descriptor_.release(); }

void Worker::run() {
    while (!pipeline_.attempt([this] {
        begin();
        io_.run();
    })) {
    }
    ThreadScratch::release();
}

// Also where memory ran out inside a turn of the event loop.
void Worker::begin() {
    ++life_;
    barrier_ = DrainBarrier(setup_.queue_length);
    idle_polls_ = 0;
    wakeup_descriptor_.cancel();
    if (stopping_) return finish(0);
    tick();
    poll_after(0);
}

Result<void> Worker::use_plan(const PlanMessage& message) {
    if (auto used = pipeline_.use_plan(message); !used) return used;
    row_.generation = message.generation;
    return {};
}

void Worker::poll() {
    now_ = monotonic_now();
    unsigned work = ring_->drain();
    barrier_.begin(pipeline_.reassembler().server_headers());
    const Reading framed = read_queue(queue_);
    const Reading bare = read_queue(bare_queue_);
    barrier_.read(0, framed.packets, framed.empty);
    barrier_.read(1, bare.packets, bare.empty);
    if (barrier_.passed()) pipeline_.reassembler().on_capture_drained(now_, barrier_.take());
    work += framed.packets + bare.packets;
    idle_polls_ = work > 0 ? 0 : idle_polls_ + 1;
    if (framed.empty && bare.empty) return schedule_poll();
    asio::post(io_, [this, life = life_] {
        if (life == life_) poll();
    });
}

Worker::Reading Worker::read_queue(QueueSource& queue) {
    CapturedPacket packet;
    for (unsigned packets = 0; packets < kPacketsPerPoll; ++packets) {
        if (queue.read(packet, now_) != QueueSource::Read::packet) return {packets, true};
        ring_->drain();
        handle(packet);
    }
    return {kPacketsPerPoll, false};
}

void Worker::handle(const CapturedPacket& packet) {
    bump(row_.captured_packets);
    const auto decoded = decode(packet, {.virtual_device = false});
    bump(row_.captured_bytes, decoded.packet.payload.size());
    if (decoded.status == DecodeStatus::ok) {
        if (decoded.partial_checksum) bump(row_.partial_checksums);
        const Segment segment = to_segment(decoded.packet);
        return loss_.next_is_lost() ? count_injected_loss(segment) : pipeline_.reassembler().on_segment(segment);
    }
    auto* row = decoded.status == DecodeStatus::bad_checksum
                    ? pipeline_.plan().flow_row(to_segment(decoded.packet).tuple)
                    : nullptr;
    if (row != nullptr) {
        ledger_seen(*row, &umbra_units::bytes, decoded.packet.payload.size());
        ledger_dropped(*row, Reason::bad_checksum, &umbra_units::bytes, decoded.packet.payload.size());
        return;
    }
    bump(row_.foreign_packets);
}

void Worker::count_injected_loss(const Segment& segment) {
    auto* const row = pipeline_.plan().flow_row(segment.tuple);
    if (row == nullptr) return bump(row_.foreign_packets);
    bump(row_.injected_losses);
    ledger_seen(*row, &umbra_units::bytes, segment.payload.size());
    ledger_dropped(*row, Reason::injected, &umbra_units::bytes, segment.payload.size());
}

void Worker::on_record(const umbra_server_record& record) {
    bump(row_.server_records);
    pipeline_.reassembler().on_server(server_header(record));
}

void Worker::on_bad_record() { bump(row_.bad_records); }

void Worker::schedule_poll() {
    if (stopping_) return;
    if (idle_polls_ < kIdlePolls) return poll_after(kBusyPoll);
    if (pipeline_.reassembler().waiting()) return poll_after(kWaitingPoll);
    await_wakeup();
}

void Worker::poll_after(TimeNs delay) {
    poll_timer_.expires_after(std::chrono::nanoseconds(delay));
    poll_timer_.async_wait([this](const asio::error_code& error) {
        if (!error) poll();
    });
}

void Worker::await_wakeup() {
    wakeup_.arm();
    wakeup_descriptor_.async_wait(asio::posix::stream_descriptor::wait_read, [this](const asio::error_code& error) {
        if (error) return;
        wakeup_.acknowledge();
        idle_polls_ = 0;
        poll();
    });
}

void Worker::tick() {
    tick_timer_.expires_after(std::chrono::nanoseconds(kTick));
    tick_timer_.async_wait([this](const asio::error_code& error) {
        if (error) return;
        now_ = monotonic_now();
        ring_->drain();
        pipeline_.reassembler().tick(now_);
        pipeline_.replayer().tick(now_);
        tick();
    });
}

void Worker::stop(TimeNs patience) {
    if (stopping_) return;
    stopping_ = true;
    poll();
    poll_timer_.cancel();
    wakeup_descriptor_.cancel();
    finish(monotonic_now() + patience);
}

void Worker::finish(TimeNs deadline) {
    now_ = monotonic_now();
    if (!pipeline_.replayer().drained() && now_ < deadline) {
        poll_timer_.expires_after(std::chrono::nanoseconds(kWaitingPoll));
        poll_timer_.async_wait([this, deadline](const asio::error_code&) { finish(deadline); });
        return;
    }
    tick_timer_.cancel();
    pipeline_.reassembler().shutdown(now_);
    pipeline_.replayer().shutdown(now_);
    io_.stop();
}

}  // namespace umbra
