#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include "capture/ring_source.h"
#include "capture/wakeup.h"

namespace umbra {
namespace {

umbra_server_record good_record() {
    umbra_server_record record{};
    record.version = UMBRA_ABI_VERSION;
    record.type = UMBRA_RECORD_SERVER_HEADER;
    record.options_len = 12;
    record.payload_len = 5;
    record.prefix_len = 5;
    return record;
}

TEST(ServerRecord, IsTakenOnlyInThisVersionsShape) {
    const auto good = good_record();
    EXPECT_TRUE(valid_record(&good, sizeof good));
    EXPECT_FALSE(valid_record(&good, sizeof good - 1));
    EXPECT_FALSE(valid_record(&good, sizeof good + 8));
    auto record = good;
    record.version = UMBRA_ABI_VERSION + 1;
    EXPECT_FALSE(valid_record(&record, sizeof record));
    record = good;
    record.type = 9;
    EXPECT_FALSE(valid_record(&record, sizeof record));
    record = good;
    record.options_len = UMBRA_SERVER_OPTIONS + 1;
    EXPECT_FALSE(valid_record(&record, sizeof record));
    record = good;
    record.prefix_len = UMBRA_SERVER_PREFIX + 1;
    record.payload_len = 100;
    EXPECT_FALSE(valid_record(&record, sizeof record));
    record = good;
    record.prefix_len = 6;
    EXPECT_FALSE(valid_record(&record, sizeof record)) << "more prefix than payload";
}

bool readable(int fd) {
    pollfd entry{fd, POLLIN, 0};
    return ::poll(&entry, 1, 0) == 1;
}

TEST(Wakeup, FiresOncePerArming) {
    int ends[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_DGRAM, 0, ends), 0);
    const UniqueFd reader(ends[0]), writer(ends[1]);
    auto wakeup = Wakeup::make({reader.get()});
    ASSERT_TRUE(wakeup);
    ASSERT_EQ(::send(writer.get(), "x", 1, 0), 1);
    EXPECT_FALSE(readable(wakeup->fd())) << "not armed yet";
    wakeup->arm();
    EXPECT_TRUE(readable(wakeup->fd())) << "data that is there already counts";
    wakeup->acknowledge();
    EXPECT_FALSE(readable(wakeup->fd()));
    ASSERT_EQ(::send(writer.get(), "y", 1, 0), 1);
    EXPECT_FALSE(readable(wakeup->fd())) << "disarmed: nobody is woken";
    wakeup->arm();
    EXPECT_TRUE(readable(wakeup->fd()));
}

TEST(Wakeup, NamesTheFailure) {
    const auto wakeup = Wakeup::make({-1});
    ASSERT_FALSE(wakeup);
    EXPECT_NE(wakeup.error().message.find("watch capture descriptor"), std::string::npos);
}

}  // namespace
}  // namespace umbra
