#include "offline/index_json.h"

#include <fmt/format.h>

#include <ctime>
#include <nlohmann/json.hpp>

namespace umbra::offline {

namespace {

constexpr const char* kSha256OfNothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

// "2013-02-26T22:02:35.123456000Z"
std::string time_text(TimeNs time) {
    const auto seconds = static_cast<std::time_t>(time / kSecond);
    std::tm parts{};
    ::gmtime_r(&seconds, &parts);
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:09}Z", parts.tm_year + 1900, parts.tm_mon + 1,
                       parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec, time % kSecond);
}

}  // namespace

std::string index_entry(const StreamIndex& index, std::size_t number, Mode mode) {
    const StreamRecord& record = index[number];
    const bool one_sided = mode == Mode::one_sided || record.one_sided();
    nlohmann::ordered_json entry{
        {"file", index.file_name(number)},
        {"client", record.tuple.client.to_string()},
        {"server", record.tuple.server.to_string()},
        {"bytes", record.bytes},
        {"sha256", record.sha256.empty() ? kSha256OfNothing : record.sha256},
        {"state", state_name(record.state())},
        {"mode", one_sided ? "one-sided" : "strict"},
        {"packets", record.packets},
        {"first", time_text(record.first)},
        {"last", time_text(record.last)},
    };
    if (record.midstream || !record.syn) entry["midstream"] = true;
    if (record.cut) entry["cut"] = reason_name(*record.cut);
    if (record.missing > 0) entry["missing"] = record.missing;
    if (record.behind_gap > 0) entry["behind_gap"] = record.behind_gap;
    if (record.bytes > record.acked) entry["unacknowledged"] = record.bytes - record.acked;
    return entry.dump();
}

}  // namespace umbra::offline
