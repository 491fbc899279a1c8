#include "unit/terminator/loss_world.h"

#include <algorithm>
#include <charconv>

namespace umbra::test {

namespace {

constexpr std::uint32_t kClientStart = 0xffff0000u;  // wraps early
constexpr std::uint32_t kServerStart = 5000;
constexpr std::size_t kMss = 1448;
constexpr std::size_t kSuperSegment = 65000;
constexpr TimeNs kPacketTime = 20'000;
constexpr std::string_view kFake = "GET /r/0/0 HTTP/1.1\r\nHost: evil\r\n\r\n";

std::uint64_t hash_of(std::string_view text) {
    std::uint64_t hash = 0xcbf29ce484222325u;
    for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
    return hash;
}

std::string make_body(std::mt19937& random) {
    const unsigned pick = random() % 1000;
    std::size_t size = 0;
    if (pick >= 300) size = 1 + random() % 1000;
    if (pick >= 700) size = 1000 + random() % 7000;
    if (pick >= 950) size = 8000 + random() % 50000;
    if (pick >= 998) size = 300'000;
    std::string body;
    body.reserve(size + kFake.size());
    const bool fakes = random() % 2 == 0;
    while (body.size() < size) {
        if (fakes)
            body += kFake;
        else
            body.append(1 + random() % 200, static_cast<char>(random()));
    }
    body.resize(size);
    return body;
}

std::string chunked(std::mt19937& random, const std::string& body) {
    std::string coded;
    for (std::size_t at = 0; at < body.size();) {
        const std::size_t size = std::min<std::size_t>(1 + random() % 5000, body.size() - at);
        char text[16];
        const auto [end, failure] = std::to_chars(text, text + sizeof text, size, 16);
        coded.append(text, end).append("\r\n").append(body, at, size).append("\r\n");
        at += size;
    }
    return coded + "0\r\n\r\n";
}

// "POST /r/ID/HASH HTTP/1.1": the ID, or 0.
std::uint64_t id_of(std::string_view target) {
    std::uint64_t id = 0;
    if (target.starts_with("/r/")) std::from_chars(target.data() + 3, target.data() + target.size(), id);
    return id;
}

}  // namespace

std::string hashed_request(std::mt19937& random, std::uint64_t id) {
    const std::string body = make_body(random);
    const std::string target = "/r/" + std::to_string(id) + "/" + std::to_string(hash_of(body));
    if (body.empty()) return "GET " + target + " HTTP/1.1\r\nHost: a\r\n\r\n";
    const std::string head = "POST " + target + " HTTP/1.1\r\nHost: a\r\n";
    if (random() % 4 == 0) return head + "Transfer-Encoding: chunked\r\n\r\n" + chunked(random, body);
    return head + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

// --- the receiving end
// ------------------------------------------------------------------------------------------------

// The requests of one connection that are still to be judged, by id.
struct Expected {
    std::map<std::uint64_t, SentRequest*> requests;
    std::uint64_t last = 0;
};

namespace {

class Checker : public MessageSink {
public:
    Checker(Expected* expected, umbra_ledger_row& row, std::vector<std::string>& wrong)
        : expected_(expected), row_(row), wrong_(wrong) {}

    umbra_ledger_row* head(const RequestHead& head, TimeNs) override {
        ledger_seen(row_, &umbra_units::requests);
        id_ = id_of(head.target);
        received_.clear();
        return &row_;
    }
    void bytes(Bytes bytes, TimeNs) override { received_ += as_text(bytes); }
    void end(TimeNs) override {
        settle({});
        if (!expected_ || !expected_->requests.contains(id_)) return complain("was never sent on this connection");
        if (id_ <= expected_->last) return complain("came twice or late");
        expected_->last = id_;
        SentRequest& sent = *expected_->requests[id_];
        sent.arrived = true;
        if (sent.damaged) complain("is there though a clone of it was lost");
        if (sent.text != received_) complain("is altered");
    }
    void abort(Reason reason, TimeNs) override { settle(reason); }
    void raw_begin(TimeNs) override { complain("turned raw"); }
    void raw_bytes(Bytes, TimeNs) override {}
    void raw_half_close(TimeNs) override {}
    void close(CloseKind, Reason, TimeNs) override {}

private:
    void complain(const char* what) { wrong_.push_back("request " + std::to_string(id_) + " " + what); }
    void settle(std::optional<Reason> reason) {
        for (const auto& [unit, n] :
             {std::pair<Unit, std::uint64_t>{&umbra_units::requests, 1}, {&umbra_units::bytes, received_.size()}})
            reason ? ledger_dropped(row_, *reason, unit, n) : ledger_mirrored(row_, unit, n);
    }

    Expected* expected_;
    umbra_ledger_row& row_;
    std::vector<std::string>& wrong_;
    std::uint64_t id_ = 0;
    std::string received_;
};

struct CheckedSide {
    Checker checker;
};

class CheckedSession : private CheckedSide, public FlowProtocol {
public:
    CheckedSession(Checker judge, ProtocolContext& context, const FlowProtocol::Flow& flow)
        : CheckedSide{std::move(judge)}, FlowProtocol(context, flow, checker) {}
};

}  // namespace

class LossWorld::Observer : public StreamObserver {
public:
    explicit Observer(LossWorld& world) : world_(world), context_{*this, world.worker_, {}} {}
    std::unique_ptr<StreamSink> open(const FlowTuple& tuple, OpenKind kind, TimeNs) override {
        const auto found = connections.find(tuple.client.port);
        Checker checker(found == connections.end() ? nullptr : found->second, world_.row_, world_.totals_.wrong);
        return std::make_unique<CheckedSession>(std::move(checker), context_,
                                                FlowProtocol::Flow{tuple, world_.row_, kind});
    }
    umbra_ledger_row* row(const FlowTuple&) override { return &world_.row_; }
    void mute(const FlowTuple&) override {}

    std::map<std::uint16_t, Expected*> connections;

private:
    LossWorld& world_;
    ProtocolContext context_;
};

// --- the sending end
// --------------------------------------------------------------------------------------------------

// One client connection. An exchange is a flight of requests and the server's answers to all of them.
class LossWorld::Connection {
public:
    explicit Connection(LossWorld& world) : world_(world), left_(5 + world.random_() % 60) {
        tuple_ = {*Endpoint::parse("10.0.0.1:" + std::to_string(world.next_port_)), *Endpoint::parse("10.0.0.2:80")};
        world.next_port_ = world.next_port_ == 60000 ? 10000 : world.next_port_ + 1;
        world.observer_->connections[tuple_.client.port] = &expected_;
        handshake();
    }
    ~Connection() { world_.observer_->connections.erase(tuple_.client.port); }

    bool done() const { return left_ == 0; }
    void exchange();
    void finish();
    // After everything was read: what had to arrive, and how soon it went on after a break.
    void judge();

private:
    void handshake();
    void send(std::size_t from, std::size_t to, const std::string& flight, std::size_t flight_start);
    bool serve(std::string_view payload, std::uint8_t flags = kAck);
    std::vector<std::size_t> cut(const std::string& flight, bool pipelined);
    bool answer(std::size_t requests);
    void excuse(std::size_t first, bool skipping);
    auto random() { return world_.random_(); }

    LossWorld& world_;
    FlowTuple tuple_;
    unsigned left_;
    std::deque<SentRequest> requests_;
    std::vector<std::size_t> flights_;  // index of each flight's first request
    Expected expected_;
    std::size_t sent_ = 0;          // bytes of the client
    std::size_t served_ = 0;        // bytes of the server
    std::size_t client_has_ = 0;    // of the server's bytes, at the moment of sending
    bool skipping_ = false;         // broken, and no boundary was proven since
    bool joins_midstream_ = false;  // the SYN-ACK was lost
    bool header_lost_ = false;      // where the server's next payload begins is not known
    bool lost_a_clone_ = false;
};

void LossWorld::Connection::handshake() {
    Segment syn;
    syn.tuple = tuple_;
    syn.seq = kClientStart - 1;
    syn.flags = kSyn;
    syn.time = world_.now_;
    world_.capture(syn);
    ServerHeader answer;
    answer.tuple = tuple_;
    answer.seq = kServerStart - 1;
    answer.ack = kClientStart;
    answer.flags = kSyn | kAck;
    answer.window = 64000;
    answer.options.window_scale = 8;
    answer.time = world_.now_;
    joins_midstream_ = !world_.header(answer);
    skipping_ = header_lost_ = joins_midstream_;
}

void LossWorld::Connection::send(std::size_t from, std::size_t to, const std::string& flight, std::size_t start) {
    Segment segment;
    segment.tuple = tuple_;
    segment.seq = kClientStart + static_cast<std::uint32_t>(from);
    segment.ack = kServerStart + static_cast<std::uint32_t>(client_has_);
    segment.flags = kAck;
    segment.window = 64000;
    segment.time = world_.now_;
    segment.payload = as_bytes(std::string_view(flight).substr(from - start, to - from));
    sent_ = to;
    const auto lost_before = world_.totals_.lost_clones;
    world_.capture(segment);
    if (world_.totals_.lost_clones == lost_before) return;
    lost_a_clone_ = true;
    for (std::size_t i = flights_.back(); i < requests_.size(); ++i)
        if (requests_[i].start < to && from < requests_[i].end()) requests_[i].damaged = true;
}

bool LossWorld::Connection::serve(std::string_view payload, std::uint8_t flags) {
    ServerHeader header;
    header.tuple = tuple_;
    header.seq = kServerStart + static_cast<std::uint32_t>(served_);
    header.ack = kClientStart + static_cast<std::uint32_t>(sent_);
    header.flags = flags;
    header.window = 64000;
    header.time = world_.now_;
    header.payload_len = static_cast<std::uint32_t>(payload.size());
    header.prefix = as_bytes(payload.substr(0, UMBRA_SERVER_PREFIX));
    served_ += payload.size();
    const bool seen = world_.header(header);
    if (seen) header_lost_ = false;
    if (!seen && !payload.empty()) header_lost_ = true;
    return seen;
}

// Ends of the packets: segments, super-segments, or writes of the client's own making. In a pipelined flight one cut
// is where a body's text looks like a request.
std::vector<std::size_t> LossWorld::Connection::cut(const std::string& flight, bool pipelined) {
    const std::size_t largest = random() % 3 == 0 ? kSuperSegment : kMss;
    std::vector<std::size_t> ends;
    if (random() % 4 == 0) ends.push_back(1 + random() % flight.size());
    if (pipelined) {
        const auto fake = flight.find(kFake, flight.size() / 2);
        if (fake != flight.npos) ends.push_back(fake);
    }
    ends.push_back(flight.size());
    std::ranges::sort(ends);
    std::vector<std::size_t> packets;
    std::size_t at = 0;
    for (const std::size_t end : ends) {
        while (at < end) packets.push_back(at = std::min(at + largest, end));
    }
    return packets;
}

// The answers to some requests; whether the first header of them, and all before it, were seen.
bool LossWorld::Connection::answer(std::size_t requests) {
    const bool intact = !header_lost_;
    bool proven = false;
    for (std::size_t i = 0; i < requests; ++i) {
        const bool seen = serve("HTTP/1.1 200 OK\r\nContent-Length: 2000");
        if (i == 0) proven = intact && seen;
        for (unsigned more = random() % 3; more > 0; --more) serve("the rest of a response");
    }
    return proven;
}

// Whole requests that need not arrive: those after a lost byte of their own flight, and all of a flight that begins
// before the boundary is proven.
void LossWorld::Connection::excuse(std::size_t first, bool skipping) {
    bool broken = skipping;
    for (std::size_t i = first; i < requests_.size(); ++i) {
        requests_[i].excused = broken && !requests_[i].damaged;
        broken |= requests_[i].damaged;
    }
}

void LossWorld::Connection::exchange() {
    const unsigned count = random() % 50 == 0 ? std::min(left_, 2 + static_cast<unsigned>(random() % 5)) : 1;
    left_ -= count;
    const std::size_t first = requests_.size(), start = sent_;
    flights_.push_back(first);
    std::string flight;
    for (unsigned i = 0; i < count; ++i) {
        const auto id = world_.next_id_++;
        requests_.push_back({id, hashed_request(world_.random_, id), start + flight.size()});
        expected_.requests[id] = &requests_.back();
        flight += requests_.back().text;
    }
    std::size_t at = start, answered = 0;
    for (const std::size_t end : cut(flight, count > 1)) {
        send(at, start + end, flight, start);
        at = start + end;
        if (random() % 3 == 0) world_.poll();
        const bool early = count > 1 && answered == 0 && at >= requests_[first].end() && at < start + flight.size();
        if (early) {
            answer(1);
            answered = 1;
        } else if (random() % 2 == 0) {
            serve({});
        }
    }
    excuse(first, skipping_);
    for (std::size_t i = first; i < requests_.size(); ++i) skipping_ |= requests_[i].damaged;
    // What a flow that is joined midstream sees first proves nothing.
    if (answer(count - answered) && !joins_midstream_) skipping_ = false;
    joins_midstream_ = false;
    client_has_ = served_;
    if (random() % 2 == 0) world_.poll();
    world_.pass_time();
}

void LossWorld::Connection::finish() {
    Segment fin;
    fin.tuple = tuple_;
    fin.seq = kClientStart + static_cast<std::uint32_t>(sent_);
    fin.ack = kServerStart + static_cast<std::uint32_t>(served_);
    fin.flags = kAck | kFin;
    fin.window = 64000;
    fin.time = world_.now_;
    const auto lost_before = world_.totals_.lost_clones;
    world_.capture(fin);
    lost_a_clone_ |= world_.totals_.lost_clones != lost_before;
    ++sent_;
    // Bytes whose last ACK was lost are delivered without it when the server stays silent.
    if (!serve({}, kAck | kFin)) world_.now_ += 2 * kSecond;
    world_.poll();
    world_.reassembler_->tick(world_.now_);
}

void LossWorld::Connection::judge() {
    auto& totals = world_.totals_;
    ++totals.connections;
    totals.broken_connections += lost_a_clone_;
    bool broken = false, alone = true;
    std::size_t missing = 0;
    for (std::size_t i = 0; i < requests_.size(); ++i) {
        const SentRequest& request = requests_[i];
        const auto flight = std::ranges::upper_bound(flights_, i);
        const std::size_t flight_end = flight == flights_.end() ? requests_.size() : *flight;
        const bool pipelined = flight_end - *std::prev(flight) > 1;
        ++totals.requests;
        totals.damaged += request.damaged;
        totals.arrived += request.arrived;
        if (!request.arrived && !request.damaged) {
            ++totals.excused_missing;
            if (!request.excused) totals.wrong.push_back("request " + std::to_string(request.id) + " is missing");
        }
        if (request.damaged) alone = (!broken || alone) && !pipelined;
        if (broken && request.arrived) {
            ++totals.skipped[std::min(missing, totals.skipped.size() - 1)];
            if (alone) ++totals.skipped_alone[std::min(missing, totals.skipped.size() - 1)];
        }
        if (request.damaged || request.arrived) missing = 0;
        missing += !request.arrived && !request.damaged;
        broken = !request.arrived && (broken || request.damaged);
    }
}

// --- the capture
// ------------------------------------------------------------------------------------------------------

LossWorld::LossWorld(LossRates rates, unsigned seed)
    : rates_(rates),
      random_(seed),
      observer_(std::make_unique<Observer>(*this)),
      reassembler_(std::make_unique<Reassembler>(ReassemblyLimits{}, Mode::strict, *observer_, worker_)) {}

LossWorld::~LossWorld() = default;

void LossWorld::capture(const Segment& segment) {
    now_ += kPacketTime;
    if (loses(rates_.clones)) {
        ++totals_.lost_clones;
        return;
    }
    queue_.push_back({segment, std::string(as_text(segment.payload))});
}

// False: it was lost.
bool LossWorld::header(const ServerHeader& header) {
    now_ += kPacketTime;
    if (loses(rates_.headers)) {
        ++totals_.lost_headers;
        return false;
    }
    reassembler_->on_server(header);
    return true;
}

// What a worker does: reads all that is there, then says so.
void LossWorld::poll() {
    const auto headers = reassembler_->server_headers();
    for (auto& [segment, payload] : queue_) {
        segment.payload = as_bytes(payload);
        reassembler_->on_segment(segment);
    }
    queue_.clear();
    reassembler_->on_capture_drained(now_, headers);
}

void LossWorld::pass_time() {
    if (now_ - ticked_ < 50 * kMillisecond) return;
    ticked_ = now_;
    poll();
    reassembler_->tick(now_);
}

LossTotals LossWorld::run(std::uint64_t requests) {
    constexpr std::size_t kTogether = 8;
    std::vector<std::unique_ptr<Connection>> open;
    while (next_id_ <= requests || !open.empty()) {
        while (open.size() < kTogether && next_id_ <= requests) open.push_back(std::make_unique<Connection>(*this));
        Connection& connection = *open[random_() % open.size()];
        connection.exchange();
        if (!connection.done()) continue;
        connection.finish();
        connection.judge();
        std::erase_if(open, [&](const auto& entry) { return entry.get() == &connection; });
    }
    for (int i = 0; i < 100; ++i) {
        now_ += 10 * kSecond;
        poll();
        reassembler_->tick(now_);
    }
    reassembler_->shutdown(now_);
    return totals_;
}

}  // namespace umbra::test
