#include "flow/tuple_index.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

#include "flow/tuple_hash.h"

namespace umbra {
namespace {

FlowTuple tuple(unsigned n) {
    FlowTuple made{*Endpoint::parse("10.0.0.1:1"), *Endpoint::parse("10.0.0.2:80")};
    made.client.port = static_cast<std::uint16_t>(n);
    made.client.address.bytes[15] = static_cast<std::uint8_t>(n >> 16);
    return made;
}

TEST(TupleIndex, EqualsAMapUnderRandomSteps) {
    for (const bool colliding : {false, true}) {
        std::mt19937 random(3);
        TupleIndex index;
        std::vector<FlowTuple> tuples;
        for (unsigned i = 0; i < 2000; ++i) tuples.push_back(tuple(i));
        const auto tuple_of = [&](std::uint32_t id) -> const FlowTuple& { return tuples[id]; };
        const auto hash_of = [&](unsigned id) {
            return colliding ? std::uint64_t{id % 7} : tuple_hash(tuples[id], 99);
        };
        const unsigned used = colliding ? 150 : 2000;
        std::set<std::uint32_t> model;
        for (int step = 0; step < 40000; ++step) {
            const std::uint32_t id = random() % used;
            if (model.contains(id)) {
                ASSERT_EQ(index.find(tuples[id], hash_of(id), tuple_of), id);
                if (random() % 2) {
                    index.erase(hash_of(id), id);
                    model.erase(id);
                }
            } else {
                ASSERT_EQ(index.find(tuples[id], hash_of(id), tuple_of), TupleIndex::kNone);
                index.insert(hash_of(id), id);
                model.insert(id);
            }
            ASSERT_EQ(index.size(), model.size());
        }
        for (const std::uint32_t id : model) ASSERT_EQ(index.find(tuples[id], hash_of(id), tuple_of), id);
    }
}

TEST(TupleHash, DependsOnEveryPartAndOnTheSeed) {
    const FlowTuple base = tuple(1);
    std::set<std::uint64_t> hashes{tuple_hash(base, 1), tuple_hash(base, 2)};
    for (unsigned byte = 0; byte < 16; ++byte) {
        FlowTuple changed = base;
        changed.client.address.bytes[byte] ^= 1;
        hashes.insert(tuple_hash(changed, 1));
        changed = base;
        changed.server.address.bytes[byte] ^= 1;
        hashes.insert(tuple_hash(changed, 1));
    }
    FlowTuple swapped{base.server, base.client};
    hashes.insert(tuple_hash(swapped, 1));
    EXPECT_EQ(hashes.size(), 2u + 32u + 1u);
}

}  // namespace
}  // namespace umbra
