// What the instruments write down of each request: fixed records, appended to a file, read by struct "<QQIIQ".
#pragma once

#include <fcntl.h>
#include <openssl/sha.h>
#include <sys/types.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string_view>
#include <vector>

namespace umbra::instruments {

struct Record {
    std::uint64_t id;
    std::uint64_t digest;  // of the request's raw bytes
    std::uint32_t bytes;
    std::uint32_t other;  // server: number of the connection; client: latency in microseconds
    std::uint64_t time;   // monotonic clock, in nanoseconds
};
static_assert(sizeof(Record) == 32);

inline constexpr std::uint64_t kDamaged = ~std::uint64_t{0};  // the id of what is no request of ours

inline std::uint64_t now_ns() {
    timespec time{};
    ::clock_gettime(CLOCK_MONOTONIC, &time);
    return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000u + static_cast<std::uint64_t>(time.tv_nsec);
}

// The first eight bytes of SHA-256.
inline std::uint64_t digest_of(std::string_view bytes) {
    unsigned char out[SHA256_DIGEST_LENGTH];
    ::SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), out);
    std::uint64_t value = 0;
    std::memcpy(&value, out, sizeof(value));
    return value;
}

[[noreturn]] inline void fail(const char* what) {
    std::perror(what);
    std::exit(2);
}

class RecordLog {
public:
    explicit RecordLog(const char* path) : file_(::open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644)) {
        if (file_ < 0) fail(path);
    }
    void add(const Record& record) { waiting_.push_back(record); }
    // After this the records survive the process.
    void flush() {
        const auto size = static_cast<ssize_t>(waiting_.size() * sizeof(Record));
        if (size > 0 && ::write(file_, waiting_.data(), static_cast<std::size_t>(size)) != size) fail("write records");
        waiting_.clear();
    }

private:
    int file_;
    std::vector<Record> waiting_;
};

}  // namespace umbra::instruments
