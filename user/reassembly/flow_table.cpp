#include "reassembly/flow_table.h"

namespace umbra {

std::uint32_t FlowTable::find(const FlowTuple& tuple, std::uint64_t hash) const {
    return index_.find(tuple, hash, [this](std::uint32_t id) -> const FlowTuple& { return store_[id].tuple; });
}

std::size_t FlowTable::growth_bytes() const {
    const std::size_t page = store_.growth_bytes();
    return page == 0 ? 0 : page + Store<Flow>::kPage * TupleIndex::kBytesPerTuple;
}

std::uint32_t FlowTable::create(const FlowTuple& tuple, std::uint64_t hash, Home home_list) {
    const std::uint32_t older = find(tuple, hash);
    const std::uint32_t id = store_.acquire();
    if (id >= homes_.size()) homes_.resize(id + 1);
    Flow& flow = store_[id];
    flow.tuple = tuple;
    if (older != kNoId) {
        index_.erase(hash, older);
        store_[older].newer = id;
        flow.older = older;
    }
    // Seeds that differ by flow and by worker: the shape of the trees cannot be foreseen.
    const auto seed = static_cast<std::uint32_t>((hash >> 32) ^ id * 0x9e3779b9u);
    flow.queue = SegmentQueue(seed);
    flow.held = HeldBytes(~seed);
    index_.insert(hash, id);
    homes_[id] = home_list;
    home(home_list).push_back(id);
    return id;
}

void FlowTable::erase(std::uint32_t id) {
    Flow& flow = store_[id];
    home(homes_[id]).remove(id);
    set_waiting(id, false);
    set_draining(id, false);
    if (flow.older != kNoId) store_[flow.older].newer = kNoId;
    if (flow.newer != kNoId) {
        store_[flow.newer].older = kNoId;
    } else {
        index_.erase(tuple_hash(flow.tuple, seed_), id);
    }
    store_.release(id);
}

void FlowTable::touch(std::uint32_t id, TimeNs now) {
    Flow& flow = store_[id];
    flow.touched = now;
    const Home wanted = flow.state == FlowState::orphan ? Home::orphans
                        : flow.closing()                ? Home::closing
                                                        : Home::established;
    if (wanted == homes_[id] && wanted == Home::orphans) return;  // their time counts from the first packet
    if (wanted == homes_[id]) return home(wanted).move_to_back(id);
    home(homes_[id]).remove(id);
    homes_[id] = wanted;
    home(wanted).push_back(id);
}

void FlowTable::set_waiting(std::uint32_t id, bool member) {
    if (store_[id].waiting.linked() == member) return;
    if (member) {
        waiting_.push_back(id);
    } else {
        waiting_.remove(id);
    }
}

void FlowTable::set_draining(std::uint32_t id, bool member) {
    if (store_[id].draining.linked() == member) return;
    if (member) {
        draining_.push_back(id);
    } else {
        draining_.remove(id);
    }
}

}  // namespace umbra
