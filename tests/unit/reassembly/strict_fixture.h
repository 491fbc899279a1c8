// The fixture of tests of strict mode: whatever a test does, the ledger closes and nothing is held at its end.
#pragma once

#include <gtest/gtest.h>

#include "unit/reassembly/stream_test_support.h"

namespace umbra::test {

class Strict : public testing::Test {
protected:
    void TearDown() override {
        wire.reassembler.shutdown(wire.now);
        EXPECT_TRUE(wire.observer.closes());
        EXPECT_EQ(wire.observer.ledger.in_flight.bytes, 0u);
        EXPECT_EQ(wire.observer.ledger.in_flight.flows, 0u);
        EXPECT_EQ(wire.worker.reassembly_bytes, 0u);
        EXPECT_FALSE(wire.reassembler.waiting());
    }
    Wire wire{Mode::strict};
};

}  // namespace umbra::test
