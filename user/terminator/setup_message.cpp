#include "terminator/setup_message.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>
#include <vector>

#include "terminator/descriptor_message.h"
#include "terminator/limit_table.h"

#include "umbra/abi/limits.h"

namespace umbra {

namespace {

using Json = nlohmann::json;

constexpr std::size_t kSharedDescriptors = 4;  // ledger, worker rows, muted, own
constexpr std::size_t kWorkerDescriptors = 3;  // queue, bare queue, ring
constexpr std::size_t kMaxDescriptors = kSharedDescriptors + kWorkerDescriptors * UMBRA_MAX_WORKERS;
static_assert(kMaxDescriptors <= kMaxMessageDescriptors);

Error os_failure(const std::string& attempt) { return {ErrorCode::failure, attempt + ": " + std::strerror(errno), {}}; }

Error malformed() {
    return {ErrorCode::failure, "read setup from the loader: malformed message",
            "loader and terminator must be of the same version"};
}

std::string encode(const TerminatorOptions& options) {
    Json limits = Json::array(), forced = Json::array();
    for (const auto& row : list_limits({options.reassembly, options.replay, options.protocol})) {
        limits.push_back(row.name + "=" + row.value);
        if (row.forced > 0) forced.push_back(row.name + "=" + std::to_string(row.forced));
    }
    return Json{{"version", UMBRA_VERSION},
                {"workers", options.workers.size()},
                {"queue_length", options.queue_length},
                {"one_sided", options.one_sided},
                {"lost_per_million", options.injected_loss.per_million},
                {"loss_seed", options.injected_loss.seed},
                {"hash_seed", options.reassembly.hash_seed},
                {"limits", std::move(limits)},
                {"forced", std::move(forced)}}
        .dump();
}

std::vector<int> descriptors_of(const TerminatorOptions& options) {
    std::vector<int> fds{options.ledger.get(), options.worker_rows.get(), options.muted.get(), options.own.get()};
    for (const auto& worker : options.workers)
        fds.insert(fds.end(), {worker.queue.get(), worker.bare_queue.get(), worker.ring.get()});
    return fds;
}

template <class Number>
bool read_number(const Json& json, const char* name, Number& value) {
    const auto found = json.find(name);
    if (found == json.end() || !found->is_number_unsigned()) return false;
    value = found->get<Number>();
    return true;
}

Result<void> read_list(const Json& json, const char* name, TerminatorLimits& limits,
                       Result<void> (*use)(TerminatorLimits&, std::string_view)) {
    const auto list = json.find(name);
    if (list == json.end() || !list->is_array()) return malformed();
    for (const Json& assignment : *list) {
        if (!assignment.is_string()) return malformed();
        if (auto used = use(limits, assignment.get_ref<const std::string&>()); !used) return used;
    }
    return {};
}

Result<void> read_limits(const Json& json, TerminatorOptions& options) {
    TerminatorLimits limits{options.reassembly, options.replay, options.protocol};
    if (auto read = read_list(json, "limits", limits, set_limit); !read) return read;
    if (auto read = read_list(json, "forced", limits, force_limit); !read) return read;
    options.reassembly = limits.reassembly;
    options.replay = limits.replay;
    options.protocol = limits.protocol;
    return {};
}

void take_descriptors(std::vector<UniqueFd>& fds, std::size_t workers, TerminatorOptions& options) {
    options.ledger = std::move(fds[0]);
    options.worker_rows = std::move(fds[1]);
    options.muted = std::move(fds[2]);
    options.own = std::move(fds[3]);
    for (std::size_t i = 0; i < workers; ++i) {
        const std::size_t first = kSharedDescriptors + i * kWorkerDescriptors;
        options.workers.push_back({std::move(fds[first]), std::move(fds[first + 1]), std::move(fds[first + 2])});
    }
}

}  // namespace

Result<void> send_setup(int channel, const TerminatorOptions& options) {
    return send_message(channel, encode(options), descriptors_of(options), "setup to the terminator");
}

Result<TerminatorOptions> read_setup(std::string_view text, std::vector<UniqueFd> fds) {
    const auto json = Json::parse(text, nullptr, false);
    if (!json.is_object()) return malformed();
    if (const auto version = json.find("version"); version == json.end() || *version != UMBRA_VERSION)
        return malformed();
    TerminatorOptions options;
    std::size_t workers = 0;
    const auto one_sided = json.find("one_sided");
    const bool complete = read_number(json, "workers", workers) &&
                          read_number(json, "queue_length", options.queue_length) &&
                          read_number(json, "lost_per_million", options.injected_loss.per_million) &&
                          read_number(json, "loss_seed", options.injected_loss.seed) &&
                          read_number(json, "hash_seed", options.reassembly.hash_seed) && one_sided != json.end() &&
                          one_sided->is_boolean();
    if (!complete || workers == 0 || workers > UMBRA_MAX_WORKERS) return malformed();
    if (fds.size() != kSharedDescriptors + workers * kWorkerDescriptors) return malformed();
    options.one_sided = one_sided->get<bool>();
    if (auto read = read_limits(json, options); !read) return read.error();
    take_descriptors(fds, workers, options);
    return options;
}

Result<TerminatorOptions> receive_setup(UniqueFd channel) {
    auto received = receive_message(channel.get(), "setup from the loader");
    if (!received) return received.error();
    if (received->text.empty())
        return Error{ErrorCode::failure, "receive setup from the loader: it closed the connection"};
    auto options = read_setup(received->text, std::move(received->fds));
    if (options) options->channel = std::move(channel);
    return options;
}

Result<void> acknowledge_setup(int channel, const std::string& identity) {
    if (::send(channel, identity.data(), identity.size(), MSG_NOSIGNAL) < 0) return os_failure("answer the setup");
    return {};
}

Result<std::string> read_setup_answer(int channel) {
    std::string text(kMaxMessageText, '\0');
    const auto got = ::recv(channel, text.data(), text.size(), MSG_DONTWAIT);
    if (got <= 0) return Error{ErrorCode::failure, "read, answer of the terminator: the connection has ended"};
    text.resize(static_cast<std::size_t>(got));
    return text;
}

}  // namespace umbra
