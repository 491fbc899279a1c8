// The ring's records: the input is one, of any length. What the check lets pass is read within its own bytes, and what
// is read is what the record says.
#include "umbra/abi/record.h"

#include <algorithm>
#include <cstring>
#include <memory>

#include "capture/ring_source.h"
#include "flow/server_record.h"
#include "fuzz/property.h"

#include "umbra/abi/version.h"

namespace umbra::fuzz {
namespace {

void check_header(const umbra_server_record& record) {
    const ServerHeader header = server_header(record);
    const auto* prefix = reinterpret_cast<const std::byte*>(record.prefix);
    require(header.seq == record.seq && header.ack == record.ack && header.flags == record.tcp_flags,
            "the header says what the record says");
    require(header.prefix.data() == prefix && header.prefix.size() == record.prefix_len, "the prefix is the record's");
    require(header.prefix.size() <= header.payload_len, "the prefix is a part of the payload");
    const umbra_tuple tuple = header.tuple.to_key();
    require(std::memcmp(&tuple, &record.tuple, sizeof tuple) == 0, "the flow is the record's");
}

// In memory of exactly its size, so that the sanitizer sees what lies outside.
void check(const std::uint8_t* data, std::size_t size) {
    const std::unique_ptr<std::uint8_t[]> exact(new std::uint8_t[size]);
    std::copy_n(data, size, exact.get());
    const bool valid = valid_record(exact.get(), size);
    require(!valid || size == sizeof(umbra_server_record), "a record has one size");
    if (!valid) return;
    umbra_server_record record;
    std::memcpy(&record, exact.get(), sizeof record);
    check_header(record);
}

}  // namespace
}  // namespace umbra::fuzz

// Once as it is, and once with the constants that random bytes would seldom hit.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace umbra;
    fuzz::check(data, size);
    umbra_server_record record{};
    std::memcpy(&record, data, std::min(size, sizeof record));
    record.version = UMBRA_ABI_VERSION;
    record.type = UMBRA_RECORD_SERVER_HEADER;
    fuzz::check(reinterpret_cast<const std::uint8_t*>(&record), sizeof record);
    return 0;
}
