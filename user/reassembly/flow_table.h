// FlowTable: the flows of one worker by tuple, and the lists in which they wait for something. A flow is in exactly
// one home list (orphans, established, closing), each ordered by the time of the last packet. Bounded by its owner.
#pragma once

#include "flow/tuple_hash.h"
#include "flow/tuple_index.h"
#include "reassembly/flow.h"

namespace umbra {

class FlowTable {
public:
    enum class Home : std::uint8_t { orphans, established, closing };
    using List = IdList<Flow, &Flow::home>;
    using WaitList = IdList<Flow, &Flow::waiting>;
    using DrainList = IdList<Flow, &Flow::draining>;

    explicit FlowTable(std::uint64_t seed) : seed_(seed) {}
    FlowTable(const FlowTable&) = delete;
    FlowTable& operator=(const FlowTable&) = delete;

    std::size_t size() const { return store_.size(); }
    Flow& operator[](std::uint32_t id) { return store_[id]; }
    // The newest flow of the tuple; kNoId if there is none.
    std::uint32_t find(const FlowTuple& tuple, std::uint64_t hash) const;
    // Memory that the next create() asks of the system.
    std::size_t growth_bytes() const;
    // A flow of this tuple that was there before becomes its `older`.
    std::uint32_t create(const FlowTuple& tuple, std::uint64_t hash, Home home);
    // The flow holds nothing any more.
    void erase(std::uint32_t id);

    // Moves the flow to the end of the home list that its state asks for.
    void touch(std::uint32_t id, TimeNs now);
    List& home(Home home) { return lists_[static_cast<unsigned>(home)]; }
    WaitList& waiting() { return waiting_; }
    DrainList& draining() { return draining_; }
    void set_waiting(std::uint32_t id, bool member);
    void set_draining(std::uint32_t id, bool member);

private:
    const std::uint64_t seed_;
    Store<Flow> store_;
    TupleIndex index_;
    List lists_[3]{List(store_), List(store_), List(store_)};
    WaitList waiting_{store_};
    DrainList draining_{store_};
    std::vector<Home> homes_;
};

}  // namespace umbra
