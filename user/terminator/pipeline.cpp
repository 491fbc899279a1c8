#include "terminator/pipeline.h"

#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include "base/settle.h"
#include "edit/redaction.h"
#include "terminator/out_of_memory.h"

#include "umbra/abi/limits.h"

namespace umbra {

namespace {

constexpr std::size_t kReserveBytes = 512 * 1024;  // more than new stages take
constexpr int kAttempts = 100;
constexpr useconds_t kPause = 10'000;
constexpr TimeNs kReportEvery = kSecond;

}  // namespace

Pipeline::Stages::Stages(Pipeline& pipeline)
    : replayer({pipeline.parts_.io, pipeline.plan_, pipeline.own_, pipeline.parts_.row}, pipeline.parts_.replay),
      sessions({pipeline.plan_, replayer, pipeline.muted_, pipeline.parts_.row}, pipeline.parts_.protocol),
      reassembler(pipeline.parts_.reassembly, pipeline.parts_.mode, sessions, pipeline.parts_.row) {}

void Pipeline::prepare_process() {
    unsigned char byte = 0;
    if (OPENSSL_init_ssl(0, nullptr) != 1 || RAND_bytes(&byte, 1) != 1) throw std::bad_alloc();
    edit::secret_digest({});
}

Pipeline::Pipeline(const Parts& parts)
    : parts_(parts),
      plan_(parts.ledger),
      muted_(parts.muted_fd),
      own_(parts.own_fd),
      stages_(std::make_unique<Stages>(*this)),
      reserve_(new std::byte[kReserveBytes]) {}

Pipeline::~Pipeline() = default;

Result<void> Pipeline::use_plan(const PlanMessage& message) {
    try {
        return plan_.replace(message);
    } catch (const std::bad_alloc&) {
        return Error{ErrorCode::failure, "out of memory", {}};  // no text that would have to be allocated
    }
}

// Allocates nothing until everything is given back.
void Pipeline::shed() noexcept {
    reserve_.reset();
    stages_->reassembler.abandon();
    stages_->replayer.abandon();
    stages_.reset();
    for (std::size_t i = 0; i < UMBRA_MAX_RULES; ++i) settle_in_flight(parts_.ledger[i], Reason::memory);
    for (const auto gauge : {&umbra_worker_row::flows, &umbra_worker_row::embryos, &umbra_worker_row::connections,
                             &umbra_worker_row::reassembly_bytes, &umbra_worker_row::queued_bytes})
        drop_gauge(parts_.row.*gauge, parts_.row.*gauge);
    for (int i = 0; !rebuild(); ++i) {
        if (i == kAttempts) end_out_of_memory("make, stages of a worker");
        ::usleep(kPause);
    }
    report();
}

bool Pipeline::rebuild() noexcept {
    try {
        stages_ = std::make_unique<Stages>(*this);
        reserve_.reset(new std::byte[kReserveBytes]);
        return true;
    } catch (const std::bad_alloc&) {
        stages_.reset();
        return false;
    }
}

void Pipeline::report() noexcept {
    ++unreported_;
    const TimeNs now = monotonic_now();
    if (reported_at_ != 0 && now - reported_at_ < kReportEvery) return;
    reported_at_ = now;
    try {
        spdlog::error("terminator: out of memory: a worker gave up all its flows, {} times since the last report",
                      std::exchange(unreported_, 0));
    } catch (const std::bad_alloc&) {
        reported_at_ = 0;
    }
}

}  // namespace umbra
