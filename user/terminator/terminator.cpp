#include "terminator/terminator.h"

#include <asio.hpp>
#include <csignal>
#include <future>
#include <memory>
#include <new>
#include <thread>
#include <utility>

#include "loader/mapped_array.h"
#include "terminator/out_of_memory.h"
#include "terminator/plan_message.h"
#include "terminator/tls_check.h"
#include "terminator/worker.h"

namespace umbra {

namespace {

constexpr TimeNs kStopPatience = kSecond;

// The process' main thread: waits for plans and for the end; the workers run in threads of their own.
class Terminator {
public:
    Terminator(TerminatorOptions options, loader::MappedArray<umbra_ledger_row> ledger,
               loader::MappedArray<umbra_worker_row> rows)
        : options_(std::move(options)), ledger_(std::move(ledger)), rows_(std::move(rows)) {}

    Result<void> make_workers() {
        for (std::uint32_t i = 0; i < options_.workers.size(); ++i) {
            auto worker = Worker::make({.descriptors = std::move(options_.workers[i]),
                                        .ledger = &ledger_[i * UMBRA_MAX_RULES],
                                        .row = rows_[i],
                                        .muted_fd = options_.muted.get(),
                                        .own_fd = options_.own.get(),
                                        .queue_length = options_.queue_length,
                                        .one_sided = options_.one_sided,
                                        .index = i,
                                        .injected_loss = options_.injected_loss,
                                        .reassembly = options_.reassembly,
                                        .replay = options_.replay,
                                        .protocol = options_.protocol});
            if (!worker) return worker.error();
            workers_.push_back(std::move(*worker));
        }
        return {};
    }

    // Threads that run cannot be left behind: where memory fails here, the process ends.
    Result<void> run() noexcept try {
        for (auto& worker : workers_) threads_.emplace_back([&worker] { worker->run(); });
        signals_.async_wait([this](const asio::error_code& error, int) {
            if (!error) io_.stop();
        });
        await_plan();
        io_.run();
        for (auto& worker : workers_) asio::post(worker->io(), [&worker] { worker->stop(kStopPatience); });
        for (auto& thread : threads_) thread.join();
        return std::move(end_);
    } catch (const std::exception&) {
        end_out_of_memory("run, workers");
    }

private:
    void await_plan() {
        channel_.async_wait(asio::posix::stream_descriptor::wait_read, [this](const asio::error_code& error) {
            if (error) return io_.stop();
            const auto message = receive_plan(channel_.native_handle());
            if (!message && message.error().message.empty()) return io_.stop();
            auto used = message ? use(*message) : Result<void>(message.error());
            if (used) used = acknowledge_plan(channel_.native_handle());
            if (!used) {
                end_ = std::move(used);
                return io_.stop();
            }
            await_plan();
        });
    }

    // Returns when every worker has taken the plan over.
    Result<void> use(const PlanMessage& message) {
        Result<void> outcome;
        report_unusable_tls(message.plan);
        for (auto& worker : workers_) {
            std::promise<Result<void>> promise;
            auto answer = promise.get_future();
            asio::post(worker->io(), [&] { promise.set_value(worker->use_plan(message)); });
            if (auto used = answer.get(); !used) outcome = std::move(used);
        }
        return outcome;
    }

    TerminatorOptions options_;
    loader::MappedArray<umbra_ledger_row> ledger_;
    loader::MappedArray<umbra_worker_row> rows_;
    std::vector<std::unique_ptr<Worker>> workers_;
    std::vector<std::thread> threads_;
    asio::io_context io_{1};
    asio::signal_set signals_{io_, SIGTERM, SIGINT};
    asio::posix::stream_descriptor channel_{io_, options_.channel.release()};
    Result<void> end_;
};

}  // namespace

Result<void> run_terminator(TerminatorOptions options) try {
    std::signal(SIGPIPE, SIG_IGN);
    Pipeline::prepare_process();
    auto ledger = loader::MappedArray<umbra_ledger_row>::map(options.ledger.get());
    if (!ledger) return ledger.error();
    auto rows = loader::MappedArray<umbra_worker_row>::map(options.worker_rows.get());
    if (!rows) return rows.error();
    Terminator terminator(std::move(options), std::move(*ledger), std::move(*rows));
    if (auto made = terminator.make_workers(); !made) return made;
    return terminator.run();
} catch (const std::bad_alloc&) {
    return out_of_memory("start, workers");
}

}  // namespace umbra
