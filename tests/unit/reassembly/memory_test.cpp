// The pool, the extents and the tables that everything else of reassembly stands on.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>

#include "reassembly/extent_tree.h"
#include "reassembly/held_bytes.h"
#include "reassembly/light_entries.h"
#include "reassembly/light_table.h"
#include "reassembly/sack_blocks.h"
#include "unit/reassembly/stream_test_support.h"

namespace umbra::test {
namespace {

TEST(SlabPool, HoldsItsCapWhateverTheMixOfSizes) {
    constexpr std::size_t kLimit = 1 << 20;
    SlabPool pool(kLimit);
    std::mt19937 random(5);
    std::vector<void*> pieces;
    for (int step = 0; step < 100000; ++step) {
        if (random() % 3 && pieces.size() < 3000) {
            void* const piece = pool.allocate(static_cast<SlabPool::SizeClass>(random() % 3));
            if (piece) pieces.push_back(piece);
        } else if (!pieces.empty()) {
            std::swap(pieces[random() % pieces.size()], pieces.back());
            pool.release(pieces.back());
            pieces.pop_back();
        }
        ASSERT_LE(pool.reserved_bytes(), kLimit);
    }
    EXPECT_EQ(std::set<void*>(pieces.begin(), pieces.end()).size(), pieces.size());
    for (void* const piece : pieces) pool.release(piece);
    EXPECT_EQ(pool.used_bytes(), 0u);
    for (const auto size : {SlabPool::small, SlabPool::medium, SlabPool::large}) {
        std::size_t count = 0;
        std::vector<void*> all;
        while (void* const piece = pool.allocate(size)) {
            std::fill_n(static_cast<unsigned char*>(piece), SlabPool::kSizes[size], static_cast<unsigned char>(size));
            EXPECT_EQ(SlabPool::class_of(piece), size);
            all.push_back(piece);
            ++count;
        }
        EXPECT_GT(count * SlabPool::kSizes[size], kLimit * 97 / 100);
        for (void* const piece : all) pool.release(piece);
    }
}

TEST(SlabPool, RoomThatItPromisesIsThere) {
    SlabPool pool(1 << 20);
    std::vector<Extent*> extents;
    const std::string bytes(30000, 'x');
    while (pool.has_room(bytes.size())) {
        Extent* const extent = make_extent(pool, 0, {0, as_bytes(bytes), false});
        ASSERT_NE(extent, nullptr);
        extents.push_back(extent);
    }
    EXPECT_GT(extents.size(), 20u);
    for (Extent* const extent : extents) destroy_extent(pool, extent);
    EXPECT_EQ(pool.used_bytes(), 0u);
}

TEST(SlabPool, WhatIsSetAsideCountsAgainstTheCap) {
    SlabPool pool(1 << 20);
    std::vector<void*> pieces;
    while (void* const piece = pool.allocate(SlabPool::large)) pieces.push_back(piece);
    EXPECT_FALSE(pool.set_aside(200000));
    for (void* const piece : pieces) pool.release(piece);
    EXPECT_EQ(pool.reserved_bytes(), std::size_t{1} << 20);
    EXPECT_TRUE(pool.set_aside(200000));
    EXPECT_LE(pool.reserved_bytes(), std::size_t{1} << 20);
    EXPECT_FALSE(pool.set_aside((1 << 20) - 200000 + 1));
    std::size_t again = 0;
    std::vector<void*> fewer;
    while (void* const piece = pool.allocate(SlabPool::large)) {
        std::fill_n(static_cast<unsigned char*>(piece), SlabPool::kSizes[SlabPool::large], 0xee);
        fewer.push_back(piece);
        ++again;
    }
    EXPECT_LE(pool.reserved_bytes(), std::size_t{1} << 20);
    EXPECT_GT(again, 0u);
    EXPECT_LT(again, pieces.size() - 200000 / SlabPool::kSizes[SlabPool::large]);
    for (void* const piece : fewer) pool.release(piece);
    EXPECT_TRUE(pool.set_aside(0));
}

TEST(ExtentTree, EqualsAMapUnderRandomSteps) {
    SlabPool pool(8 << 20);
    ExtentTree tree(42);
    std::map<StreamPos, Extent*> model;
    std::mt19937 random(9);
    for (int step = 0; step < 20000; ++step) {
        const StreamPos pos = random() % 500;
        if (const auto found = model.find(pos); found != model.end()) {
            tree.remove(found->second);
            destroy_extent(pool, found->second);
            model.erase(found);
        } else {
            tree.insert(model[pos] = make_extent(pool, pos, {pos, {}, true}));
        }
        ASSERT_EQ(tree.count(), model.size());
        ASSERT_EQ(tree.first(), model.empty() ? nullptr : model.begin()->second);
        ASSERT_EQ(tree.last(), model.empty() ? nullptr : model.rbegin()->second);
        const StreamPos asked = random() % 500;
        const auto above = model.upper_bound(asked);
        ASSERT_EQ(tree.at_or_before(asked), above == model.begin() ? nullptr : std::prev(above)->second);
        if (step % 100 != 0) continue;
        const Extent* at = tree.first();
        for (const auto& [start, extent] : model) {
            ASSERT_EQ(at, extent);
            at = at->next;
        }
    }
    for (const auto& [start, extent] : model) {
        tree.remove(extent);
        destroy_extent(pool, extent);
    }
    EXPECT_EQ(pool.used_bytes(), 0u);
}

TEST(HeldBytes, KeepsOrderAndSharesPieces) {
    SlabPool pool(8 << 20);
    HeldBytes held;
    std::string model, read;
    std::mt19937 random(11);
    StreamPos end = 1000;
    for (int step = 0; step < 20000; ++step) {
        const std::string bytes(1 + (step % 50 == 0 ? random() % 20000 : random() % 20),
                                static_cast<char>('a' + step % 26));
        ASSERT_TRUE(held.append(pool, {end, as_bytes(bytes), false}));
        end += bytes.size();
        model += bytes;
        while (held.size() > 30000) {
            const Bytes front = held.front();
            const std::size_t count = std::min<std::size_t>(front.size(), 1 + random() % 5000);
            read += as_text(front.first(count));
            held.pop(pool, count);
        }
        ASSERT_LT(pool.used_bytes(), 4 * held.size() + 40000);
    }
    EXPECT_EQ(read, model.substr(0, read.size()));
    const std::string rest = model.substr(read.size());
    EXPECT_EQ(held.size(), rest.size());
    EXPECT_FALSE(held.contradicts({end - rest.size(), as_bytes(rest), false}));
    std::string wrong = rest;
    wrong[rest.size() / 2] ^= 1;
    EXPECT_TRUE(held.contradicts({end - rest.size(), as_bytes(wrong), false}));
    EXPECT_EQ(held.clear(pool), rest.size());
    EXPECT_EQ(pool.used_bytes(), 0u);
}

TEST(SackBlocks, ReportsTheFourNewestOnly) {
    SackBlocks blocks;
    EXPECT_EQ(blocks.right_edge(), 0u);
    for (StreamPos i = 5; i > 0; --i) blocks.add(i * 100, i * 100 + 10);
    EXPECT_EQ(blocks.right_edge(), 410u);
    blocks.add(410, 420);
    EXPECT_EQ(blocks.right_edge(), 420u);
    blocks.add(110, 200);
    blocks.advance(100);
    EXPECT_EQ(blocks.right_edge(), 420u);
    blocks.advance(400);
    EXPECT_EQ(blocks.right_edge(), 0u);
}

TEST(LightTable, ForgetsWhatWasUntouchedLongest) {
    LightTable<Embryo> table(3, 7);
    const auto tuple = [](unsigned port) { return tuple_of(static_cast<std::uint16_t>(port)); };
    const auto find = [&](unsigned port) { return table.find(tuple(port), tuple_hash(tuple(port), 7)); };
    for (unsigned port = 1; port <= 3; ++port) table.insert(tuple(port), tuple_hash(tuple(port), 7)).next = port;
    table.touch(*find(1));
    table.insert(tuple(4), tuple_hash(tuple(4), 7));
    EXPECT_EQ(find(2), nullptr);
    ASSERT_NE(find(1), nullptr);
    EXPECT_EQ(find(1)->next, 1u);
    EXPECT_EQ(table.oldest(), find(3));
    table.erase(*find(3));
    EXPECT_EQ(table.size(), 2u);
    EXPECT_EQ(table.oldest(), find(1));
}

TEST(Age, OfCutSeconds) {
    EXPECT_EQ(age_of(5, 9, 22), 4u);
    EXPECT_EQ(age_of((1u << 22) - 2, 3, 22), 5u);
    EXPECT_EQ(age_of(9, 5, 22), 0u);
}

// Blocks come back to the pool: after the first round nothing is allocated any more.
TEST(Memory, SteadyTrafficReservesNothingNew) {
    SlabPool pool(64 << 20);
    std::size_t after_first = 0;
    for (int round = 0; round < 50; ++round) {
        SegmentQueue queue;
        const std::string bytes(1448, 'x');
        for (StreamPos i = 2000; i > 0; --i) queue.insert(pool, {1 + 1448 * i, as_bytes(bytes), false});
        queue.clear(pool);
        if (round == 0) after_first = pool.reserved_bytes();
        ASSERT_EQ(pool.reserved_bytes(), after_first);
    }
}

}  // namespace
}  // namespace umbra::test
