#include "agent/take_over_message.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>

#include "terminator/descriptor_message.h"
#include "terminator/sealed_text.h"

namespace umbra::agent {

namespace {

using control::Json;

constexpr std::size_t kMaxDocumentBytes = 256u << 20;
constexpr std::size_t kOfferDescriptors = 4;

Error malformed(const std::string& what) {
    return {ErrorCode::failure, "take over: the message '" + what + "' is malformed"};
}

std::string text_of(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

Result<void> send(int channel, const char* name, Json message, const std::vector<int>& fds = {}) {
    message["message"] = name;
    return send_message(channel, text_of(message), fds, std::string("'") + name + "' of a take-over");
}

struct Received {
    Json json;
    std::vector<UniqueFd> fds;
};

std::string word(const Json& json, const char* name) {
    const auto found = json.find(name);
    return found != json.end() && found->is_string() ? found->get<std::string>() : "";
}

template <class Number>
bool number(const Json& json, const char* name, Number& value) {
    const auto found = json.find(name);
    if (found == json.end() || !found->is_number_unsigned()) return false;
    value = found->get<Number>();
    return true;
}

const Json& part(const Json& json, const char* name) {
    static const Json kNothing;
    const auto found = json.find(name);
    return found == json.end() ? kNothing : *found;
}

// No message needs more than three levels; the other end is of the same user, but maybe of another version.
Result<Received> receive(int channel, const std::string& wanted) {
    auto got = receive_message(channel, "'" + wanted + "' of a take-over");
    if (!got) return got.error();
    if (got->text.empty()) return Error{ErrorCode::failure, ""};
    const auto flat = [](int depth, Json::parse_event_t, Json&) { return depth <= 5; };
    Received received{Json::parse(got->text, flat, false), std::move(got->fds)};
    if (!received.json.is_object()) return malformed(wanted);
    const std::string name = word(received.json, "message");
    if (name == "no") return Error{ErrorCode::failure, word(received.json, "why"), word(received.json, "hint")};
    if (name != wanted) return malformed(wanted);
    return received;
}

bool read(const Json& json, std::set<std::uint32_t>& numbers) {
    if (!json.is_array()) return false;
    for (const Json& entry : json) {
        if (!entry.is_number_unsigned()) return false;
        numbers.insert(entry.get<std::uint32_t>());
    }
    return true;
}

std::string encode(const CarriedDocuments& documents) {
    Json rows = Json::array();
    for (const auto& [key, source] : documents)
        rows.push_back({key.kind, key.ns, key.name, source.name, source.text, source.ns});
    return text_of(rows);
}

Result<CarriedDocuments> read_documents(int fd) {
    const auto text = MappedText::map(fd, kMaxDocumentBytes, "documents");
    if (!text) return text.error();
    const Json rows = Json::parse(text->text(), nullptr, false);
    if (!rows.is_array()) return malformed("offer");
    CarriedDocuments documents;
    for (const Json& row : rows) {
        constexpr std::size_t kFields = 6;
        const auto is_text = [](const Json& field) { return field.is_string(); };
        if (!row.is_array() || row.size() != kFields || !std::ranges::all_of(row, is_text)) return malformed("offer");
        documents.push_back({{row[0], row[1], row[2]}, {row[3], row[4], row[5]}});
    }
    return documents;
}

Result<void> send_links(int channel, const std::vector<loader::HandedLink>& links) {
    for (std::size_t begin = 0; begin < links.size(); begin += kLinksPerMessage) {
        Json rows = Json::array();
        std::vector<int> fds;
        for (std::size_t i = begin; i < std::min(begin + kLinksPerMessage, links.size()); ++i) {
            rows.push_back({links[i].ifindex, static_cast<unsigned>(links[i].direction)});
            fds.push_back(links[i].fd.get());
        }
        if (auto sent = send(channel, "links", {{"links", std::move(rows)}}, fds); !sent) return sent;
    }
    return {};
}

// False: the other one has died before the last of them.
Result<bool> receive_links(int channel, std::size_t count, std::vector<loader::HandedLink>& links) {
    while (links.size() < count) {
        auto received = receive(channel, "links");
        if (!received && received.error().message.empty()) return false;
        if (!received) return received.error();
        const Json& rows = part(received->json, "links");
        if (!rows.is_array() || rows.empty() || rows.size() != received->fds.size()) return malformed("links");
        for (std::size_t i = 0; i < rows.size(); ++i) {
            const Json& row = rows[i];
            if (!row.is_array() || row.size() != 2 || !row[0].is_number_unsigned() || !row[1].is_number_unsigned() ||
                row[1].get<std::uint64_t>() > 1)
                return malformed("links");
            links.push_back({row[0].get<std::uint32_t>(), static_cast<loader::Direction>(row[1].get<unsigned>()),
                             std::move(received->fds[i])});
        }
    }
    return true;
}

}  // namespace

Result<void> send_hello(int channel, const Hello& hello) {
    return send(channel, "hello", {{"format", hello.format}, {"version", hello.version}});
}

Result<Hello> receive_hello(int channel) {
    const auto received = receive(channel, "hello");
    if (!received) return received.error();
    Hello hello{0, word(received->json, "version")};
    if (!number(received->json, "format", hello.format)) return malformed("hello");
    return hello;
}

Result<void> send_offer(int channel, const Offer& offer) {
    const auto documents = seal_text(encode(offer.documents), "documents");
    if (!documents) return documents.error();
    return send(channel, "offer",
                {{"format", offer.format},
                 {"version", offer.version},
                 {"pid", offer.pid},
                 {"netns", offer.netns},
                 {"cloning", to_json(offer.cloning)},
                 {"qdiscs", offer.qdiscs}},
                {offer.control.get(), offer.door.get(), offer.own.get(), documents->get()});
}

Result<Offer> receive_offer(int channel) {
    auto received = receive(channel, "offer");
    if (!received) return received.error();
    const Json& json = received->json;
    Offer offer;
    if (!number(json, "format", offer.format)) return malformed("offer");
    offer.version = word(json, "version");
    if (offer.format != kTakeOverFormat) {
        return Error{ErrorCode::unsupported,
                     fmt::format("take over from version {}: it speaks format {}, this one {}", offer.version,
                                 offer.format, kTakeOverFormat),
                     "stop it and start this one"};
    }
    offer.netns = word(json, "netns");
    if (!number(json, "pid", offer.pid) || received->fds.size() != kOfferDescriptors ||
        !read(part(json, "qdiscs"), offer.qdiscs))
        return malformed("offer");
    auto cloning = clone_state_from(part(json, "cloning"));
    if (!cloning) return cloning.error();
    offer.cloning = std::move(*cloning);
    auto documents = read_documents(received->fds[3].get());
    if (!documents) return documents.error();
    offer.documents = std::move(*documents);
    offer.control = std::move(received->fds[0]);
    offer.door = std::move(received->fds[1]);
    offer.own = std::move(received->fds[2]);
    return offer;
}

Result<void> send_ready(int channel, bool tcx) { return send(channel, "ready", {{"hook", tcx ? "tcx" : "clsact"}}); }

Result<bool> receive_ready(int channel) {
    const auto received = receive(channel, "ready");
    if (!received) return received.error();
    const std::string hook = word(received->json, "hook");
    if (hook != "tcx" && hook != "clsact") return malformed("ready");
    return hook == "tcx";
}

Result<void> send_go(int channel, const Go& go) {
    if (auto sent = send(channel, "go",
                         {{"stopped_at", go.stopped_at ? Json(*go.stopped_at) : Json()},
                          {"cloning", to_json(go.cloning)},
                          {"qdiscs", go.qdiscs},
                          {"links", go.links.size()}});
        !sent)
        return sent;
    return send_links(channel, go.links);
}

Result<Go> receive_go(int channel) {
    const auto received = receive(channel, "go");
    if (!received) return received.error();
    const Json& json = received->json;
    Go go;
    std::size_t links = 0;
    if (!number(json, "links", links) || links > kMaxLinks || !read(part(json, "qdiscs"), go.qdiscs))
        return malformed("go");
    if (TimeNs stopped = 0; number(json, "stopped_at", stopped)) go.stopped_at = stopped;
    auto cloning = clone_state_from(part(json, "cloning"));
    if (!cloning) return cloning.error();
    go.cloning = std::move(*cloning);
    if (const auto complete = receive_links(channel, links, go.links); !complete) return complete.error();
    return go;
}

Result<void> send_taken(int channel, std::size_t hooks) { return send(channel, "taken", {{"hooks", hooks}}); }

Result<std::size_t> receive_taken(int channel) {
    const auto received = receive(channel, "taken");
    if (!received) return received.error();
    std::size_t hooks = 0;
    if (!number(received->json, "hooks", hooks)) return malformed("taken");
    return hooks;
}

void send_refusal(int channel, const Error& why) {
    // Who has gone meanwhile need not be told.
    static_cast<void>(send(channel, "no", {{"why", why.message}, {"hint", why.hint}}));
}

std::string network_identity() {
    struct stat status {};
    if (::stat("/proc/self/ns/net", &status) != 0) return "";
    return fmt::format("{}:{}", status.st_dev, status.st_ino);
}

}  // namespace umbra::agent
