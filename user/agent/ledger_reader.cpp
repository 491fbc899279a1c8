#include "agent/ledger_reader.h"

#include <atomic>
#include <thread>

#include "umbra/abi/limits.h"

namespace umbra::agent {

namespace {

constexpr int kRowAttempts = 8;
constexpr std::chrono::milliseconds kPause{2};
constexpr std::uint64_t kQueuesPerWorker = 2;
constexpr std::uint64_t kLargestClone = 64 << 10;  // what the capture device takes in one piece

// Cells are written by another process, each as a whole.
template <class Row>
Row load(const Row& row) {
    Row copy;
    auto* to = reinterpret_cast<__u64*>(&copy);
    auto* from = reinterpret_cast<__u64*>(const_cast<Row*>(&row));
    for (std::size_t i = 0; i < sizeof(Row) / sizeof(__u64); ++i)
        to[i] = std::atomic_ref<__u64>(from[i]).load(std::memory_order_relaxed);
    return copy;
}

}  // namespace

Result<LedgerReader> LedgerReader::make(const loader::Datapath& datapath, std::uint32_t queue_length) {
    auto ledger = loader::MappedArray<umbra_ledger_row>::map(datapath.ledger_fd());
    if (!ledger) return ledger.error();
    auto workers = loader::MappedArray<umbra_worker_row>::map(datapath.workers_fd());
    if (!workers) return workers.error();
    LedgerReader reader(datapath, std::move(*ledger), std::move(*workers));
    reader.queue_capacity_ = kQueuesPerWorker * datapath.workers() * queue_length * kLargestClone;
    return reader;
}

Result<void> LedgerReader::before_apply(const std::map<std::string, std::uint32_t>& coming) {
    next_ = book_;
    for (const auto& [rule, slot] : coming) {
        const auto owner = next_.owners.find(slot);
        if (owner != next_.owners.end() && owner->second != rule) {
            const auto previous = read_slot({}, slot);
            if (!previous) return previous.error();
            const auto known = next_.baselines.find(slot);
            next_.forgotten_clones += previous->kernel.cloned.bytes;
            if (known != next_.baselines.end()) next_.forgotten_clones -= known->second.kernel.cloned.bytes;
            next_.baselines[slot] = baseline_of(previous->kernel, previous->row);
        }
        next_.owners[slot] = rule;
    }
    return {};
}

void LedgerReader::applied() { book_ = std::move(next_); }

Result<umbra_rule_counters> LedgerReader::read_kernel(std::uint32_t slot) const {
    auto counters = datapath_.rule_counters(slot);
    for (int attempt = 1; attempt < kRowAttempts && counters && !balanced(*counters); ++attempt)
        counters = datapath_.rule_counters(slot);
    return counters;
}

umbra_ledger_row LedgerReader::read_row(unsigned worker, std::uint32_t slot) const {
    const umbra_ledger_row& row = ledger_[worker * UMBRA_MAX_RULES + slot];
    umbra_ledger_row copy = load(row);
    for (int attempt = 1; attempt < kRowAttempts && !balanced(copy); ++attempt) copy = load(row);
    return copy;
}

Result<RuleReading> LedgerReader::read_slot(const Book& book, std::uint32_t slot) const {
    RuleReading reading;
    const auto counters = read_kernel(slot);
    if (!counters) return counters.error();
    reading.kernel = *counters;
    for (unsigned i = 0; i < datapath_.workers(); ++i) add(reading.row, read_row(i, slot));
    if (const auto found = book.baselines.find(slot); found != book.baselines.end()) subtract(reading, found->second);
    return reading;
}

Result<LedgerReading> LedgerReader::read_once() const {
    LedgerReading reading;
    reading.forgotten_clones = book_.forgotten_clones;
    reading.queue_capacity = queue_capacity_;
    reading.unreported = hand_over_.unreported();
    for (unsigned i = 0; i < datapath_.workers(); ++i) reading.captured += worker(i).captured_bytes;
    for (const auto& [slot, key] : book_.owners) {
        auto rule = read_slot(book_, slot);
        if (!rule) return rule.error();
        rule->rule = key;
        rule->removed = !datapath_.slot_of(key).has_value();
        reading.rules.push_back(std::move(*rule));
    }
    return reading;
}

bool LedgerReader::may_be_unreported() const {
    if (lost_terminator_) return true;
    const auto drops = datapath_.queue_drops();
    return drops && *drops > 0;
}

HandOver::Look LedgerReader::look(const LedgerReading& reading) const {
    return {close_ledger(reading).cloned, reading.captured, datapath_.queues_empty()};
}

Result<LedgerReading> LedgerReader::read_settled() const {
    auto reading = read_once();
    if (!reading) return reading;
    const HandOver::Look before = look(*reading);
    const bool settled = before.difference() == hand_over_.unreported();
    if (settled || !before.queues_empty || !may_be_unreported()) return reading;
    std::this_thread::sleep_for(kPause);
    reading = read_once();
    if (!reading) return reading;
    hand_over_.settle(before, look(*reading));
    reading->unreported = hand_over_.unreported();
    return reading;
}

Result<LedgerReading> LedgerReader::read() const {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (true) {
        auto reading = read_settled();
        if (!reading || close_ledger(*reading).closes || std::chrono::steady_clock::now() >= deadline) return reading;
        std::this_thread::sleep_for(kPause);
    }
}

umbra_worker_row LedgerReader::worker(unsigned index) const { return load(workers_[index]); }

void LedgerReader::settle_dead_workers() {
    lost_terminator_ = true;
    for (unsigned i = 0; i < datapath_.workers(); ++i) {
        for (const auto& [slot, key] : book_.owners) settle_dead(ledger_[i * UMBRA_MAX_RULES + slot]);
        umbra_worker_row& row = workers_[i];
        for (auto gauge :
             {&umbra_worker_row::flows, &umbra_worker_row::embryos, &umbra_worker_row::connections,
              &umbra_worker_row::reassembly_bytes, &umbra_worker_row::queued_bytes, &umbra_worker_row::generation})
            row.*gauge = 0;
    }
}

}  // namespace umbra::agent
