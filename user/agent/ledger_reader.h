// LedgerReader: reads the counters of kernel and terminator while they move, and settles what a dead terminator left.
// Remembers which rule had which slot, so that removed rules stay in the ledger until their slot is given away.
//
// Nothing stops for a reading, so one can fall between two writes that belong together. A row that does not balance is
// read again, and so is the whole, for up to kPatience; what balances then is a state that was there. What still does
// not balance is broken. The worker's captured packets are read before the kernel's clones, so that packets that pass
// meanwhile appear as "in queue". What does not come at rest is settled by hand_over.h.
#pragma once

#include <chrono>
#include <map>
#include <string>

#include "agent/hand_over.h"
#include "agent/ledger_close.h"
#include "base/result.h"
#include "loader/datapath.h"
#include "loader/mapped_array.h"

namespace umbra::agent {

class LedgerReader {
public:
    static constexpr std::chrono::milliseconds kPatience{200};

    // The datapath outlives the reader.
    static Result<LedgerReader> make(const loader::Datapath& datapath, std::uint32_t queue_length);

    // Around every Datapath::apply(): slots that it gives to other rules take their clones out of the ledger.
    // coming: the rules' slots. The second call says that apply() succeeded.
    Result<void> before_apply(const std::map<std::string, std::uint32_t>& coming);
    void applied();

    Result<LedgerReading> read() const;
    // Once, without waiting for balance.
    Result<LedgerReading> glance() const { return read_once(); }
    umbra_worker_row worker(unsigned index) const;

    // Only while no terminator runs.
    void settle_dead_workers();

private:
    LedgerReader(const loader::Datapath& datapath, loader::MappedArray<umbra_ledger_row> ledger,
                 loader::MappedArray<umbra_worker_row> workers)
        : datapath_(datapath), ledger_(std::move(ledger)), workers_(std::move(workers)) {}

    struct Book {
        std::map<std::uint32_t, std::string> owners;  // of the slots, living or removed
        std::map<std::uint32_t, Baseline> baselines;  // of slots that changed hands: they go on counting
        std::uint64_t forgotten_clones = 0;
    };
    Result<LedgerReading> read_once() const;
    Result<LedgerReading> read_settled() const;
    bool may_be_unreported() const;
    HandOver::Look look(const LedgerReading& reading) const;
    Result<umbra_rule_counters> read_kernel(std::uint32_t slot) const;
    umbra_ledger_row read_row(unsigned worker, std::uint32_t slot) const;
    Result<RuleReading> read_slot(const Book& book, std::uint32_t slot) const;

    const loader::Datapath& datapath_;
    loader::MappedArray<umbra_ledger_row> ledger_;
    loader::MappedArray<umbra_worker_row> workers_;
    Book book_;
    Book next_;
    std::uint64_t queue_capacity_ = 0;
    bool lost_terminator_ = false;
    mutable HandOver hand_over_;  // learnt by reading
};

}  // namespace umbra::agent
