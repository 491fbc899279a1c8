#include "base/chunk_buffer.h"

#include <gtest/gtest.h>

#include <array>
#include <random>
#include <string>

namespace umbra {
namespace {

std::string front_text(const ByteQueue& queue, std::size_t limit) {
    std::array<iovec, 64> parts;
    std::string out;
    const std::size_t used = queue.front(parts, limit);
    for (std::size_t i = 0; i < used; ++i) out.append(static_cast<const char*>(parts[i].iov_base), parts[i].iov_len);
    return out;
}

std::string pattern(std::size_t size, unsigned seed) {
    std::string out(size, 0);
    for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<char>((i * 131 + seed * 17) & 0xff);
    return out;
}

TEST(ByteQueue, BehavesLikeAStringUnderRandomUse) {
    ChunkPool pool(64 * kChunkBytes);
    ByteQueue queue(pool);
    std::string model;
    std::mt19937 random(7);
    for (unsigned round = 0; round < 3000; ++round) {
        const std::size_t size = random() % (2 * kChunkBytes);
        switch (random() % 3) {
            case 0: {
                const std::string text = pattern(size, round);
                if (queue.append(as_bytes(text))) model += text;
                break;
            }
            case 1: {
                const std::size_t count = std::min(size, model.size());
                queue.pop_front(count);
                model.erase(0, count);
                break;
            }
            default: {
                const std::size_t count = std::min(size, model.size());
                queue.pop_back(count);
                model.resize(model.size() - count);
            }
        }
        ASSERT_EQ(queue.size(), model.size());
        ASSERT_EQ(front_text(queue, 100000), model.substr(0, 100000));
    }
    queue.clear();
    EXPECT_EQ(pool.used_bytes(), 0u);
}

TEST(ByteQueue, AppendIsAllOrNothingAtThePoolsCap) {
    ChunkPool pool(4 * kChunkBytes);
    ByteQueue a(pool), b(pool);
    const std::string two = pattern(2 * kChunkBytes, 1), three = pattern(3 * kChunkBytes, 2);
    ASSERT_TRUE(a.append(as_bytes(two)));
    EXPECT_FALSE(b.append(as_bytes(three)));
    EXPECT_TRUE(b.empty());
    EXPECT_EQ(pool.used_bytes(), 2 * kChunkBytes);
    EXPECT_TRUE(b.append(as_bytes(two)));
    EXPECT_EQ(pool.available_bytes(), 0u);
    EXPECT_FALSE(a.append(as_bytes("x")));
    a.pop_front(kChunkBytes);
    EXPECT_TRUE(a.append(as_bytes("x")));
}

TEST(ByteQueue, FrontRespectsLimitAndEntries) {
    ChunkPool pool(8 * kChunkBytes);
    ByteQueue queue(pool);
    ASSERT_TRUE(queue.append(as_bytes(pattern(3 * kChunkBytes, 3))));
    EXPECT_EQ(front_text(queue, 5).size(), 5u);
    EXPECT_EQ(front_text(queue, kChunkBytes + 1).size(), kChunkBytes + 1);
    std::array<iovec, 1> one;
    EXPECT_EQ(queue.front(one, queue.size()), 1u);
    EXPECT_EQ(one[0].iov_len, kChunkBytes);
}

TEST(ChunkPool, TrimGivesFreeMemoryBack) {
    ChunkPool pool(8 * kChunkBytes);
    {
        ByteQueue queue(pool);
        ASSERT_TRUE(queue.append(as_bytes(pattern(6 * kChunkBytes, 4))));
        pool.trim(0);
        EXPECT_EQ(pool.used_bytes(), 6 * kChunkBytes);
    }
    pool.trim(2 * kChunkBytes);
    EXPECT_EQ(pool.used_bytes(), 0u);
    EXPECT_EQ(pool.available_bytes(), 8 * kChunkBytes);
}

}  // namespace
}  // namespace umbra
