// The fuzz seeds of other projects through all stages from segments on: cut, shuffled and doubled on their way, they
// give the requests that they give in one piece; and with replay behind, nothing stays open or held.
#include <gtest/gtest.h>
#include <unistd.h>

#include <asio.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>

#include "reassembly/reassembler.h"
#include "replay/replayer.h"
#include "unit/protocol/recording_sink.h"

namespace umbra::test {
namespace {

namespace fs = std::filesystem;

constexpr std::uint32_t kClientStart = 0xffffff00u, kServerStart = 5000;  // wraps early

// One connection of a client that says `bytes`, as a capture would bring it.
class CapturedClient {
public:
    CapturedClient(Reassembler& reassembler, std::string_view bytes, unsigned seed)
        : reassembler_(reassembler), bytes_(bytes), random_(seed) {}

    void play() {
        client(kClientStart - 1, {}, kSyn);
        server(kServerStart - 1, 0, kSyn | kAck);
        for (const auto& [at, piece] : pieces()) {
            client(kClientStart + static_cast<std::uint32_t>(at), piece, kAck);
            if (random_() % 10 == 0) client(kClientStart + static_cast<std::uint32_t>(at), piece, kAck);
        }
        server(kServerStart, bytes_.size(), kAck);
        client(kClientStart + static_cast<std::uint32_t>(bytes_.size()), {}, kFin | kAck);
        server(kServerStart, bytes_.size() + 1, kFin | kAck);
        reassembler_.on_capture_drained(now_, reassembler_.server_headers());
        reassembler_.shutdown(now_);
    }

private:
    std::vector<std::pair<std::size_t, std::string_view>> pieces() {
        std::vector<std::pair<std::size_t, std::string_view>> cut;
        const std::size_t largest = random_() % 2 == 0 ? 9 : 1448;
        for (std::size_t at = 0; at < bytes_.size();) {
            const std::size_t size = std::min<std::size_t>(1 + random_() % largest, bytes_.size() - at);
            cut.emplace_back(at, bytes_.substr(at, size));
            at += size;
        }
        constexpr std::ptrdiff_t kWindow = 16;
        for (auto at = cut.begin(); at != cut.end();) {
            const auto end = at + std::min(kWindow, cut.end() - at);
            std::shuffle(at, end, random_);
            at = end;
        }
        return cut;
    }
    void client(std::uint32_t seq, std::string_view payload, std::uint8_t flags) {
        Segment segment;
        segment.tuple = tuple_;
        segment.seq = seq;
        segment.ack = kServerStart;
        segment.flags = flags;
        segment.window = 64000;
        segment.time = ++now_;
        const std::string own(payload);  // its memory ends with the call
        segment.payload = as_bytes(own);
        reassembler_.on_segment(segment);
    }
    void server(std::uint32_t seq, std::size_t acked, std::uint8_t flags) {
        ServerHeader header;
        header.tuple = tuple_;
        header.seq = seq;
        header.ack = kClientStart + static_cast<std::uint32_t>(acked);
        header.flags = flags;
        header.window = 64000;
        header.options.window_scale = 8;
        header.time = ++now_;
        reassembler_.on_server(header);
    }

    Reassembler& reassembler_;
    const std::string_view bytes_;
    std::mt19937 random_;
    const FlowTuple tuple_{*Endpoint::parse("10.0.0.1:1000"), *Endpoint::parse("10.0.0.2:80")};
    TimeNs now_ = 100 * kSecond;
};

// Makes the protocol stage of each flow, with a message sink of the derived class behind it.
class Stage : public StreamObserver {
public:
    Stage() : context_{*this, worker, {}} {}
    umbra_ledger_row* row(const FlowTuple&) override { return &ledger; }
    void mute(const FlowTuple&) override {}

    umbra_ledger_row ledger{};
    umbra_worker_row worker{};

protected:
    ProtocolContext context_;
};

struct Seen {
    std::vector<SeenRequest> requests;
    std::string raw;
    std::vector<std::string> streams;
    bool operator==(const Seen&) const = default;
};

class RecordingStage : public Stage {
public:
    std::unique_ptr<StreamSink> open(const FlowTuple& tuple, OpenKind kind, TimeNs) override {
        sinks_.push_back(std::make_unique<RecordingSink>(ledger, nullptr));
        sinks_.back()->take_http2();
        return std::make_unique<FlowProtocol>(context_, FlowProtocol::Flow{tuple, ledger, kind}, *sinks_.back());
    }
    Seen seen() const {
        Seen all;
        for (const auto& sink : sinks_) {
            all.requests.insert(all.requests.end(), sink->requests.begin(), sink->requests.end());
            all.raw += sink->raw;
            all.streams.insert(all.streams.end(), sink->streams->log.begin(), sink->streams->log.end());
        }
        return all;
    }

private:
    std::vector<std::unique_ptr<RecordingSink>> sinks_;
};

Seen in_one_piece(const std::string& bytes) {
    FlowHarness harness;
    harness.sink.take_http2();
    harness.data(bytes);
    harness.close();
    return {harness.sink.requests, harness.sink.raw, harness.sink.streams->log};
}

// Takes whatever comes and answers each piece of it with the same text.
class BlindServer {
public:
    explicit BlindServer(asio::io_context& io) : acceptor_(io, {asio::ip::address_v4::loopback(), 0}) { accept(); }
    Endpoint endpoint() const {
        return *Endpoint::parse("127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port()));
    }
    void stop() { acceptor_.close(); }

private:
    struct Session : std::enable_shared_from_this<Session> {
        explicit Session(asio::ip::tcp::socket taken) : socket(std::move(taken)) {}
        void read() {
            socket.async_read_some(asio::buffer(piece),
                                   [self = shared_from_this()](std::error_code error, std::size_t) {
                                       if (error) return;
                                       asio::error_code ignored;
                                       asio::write(self->socket, asio::buffer(kAnswer, sizeof kAnswer - 1), ignored);
                                       self->read();
                                   });
        }
        static constexpr char kAnswer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
        asio::ip::tcp::socket socket;
        std::array<char, 16 * 1024> piece;
    };
    void accept() {
        acceptor_.async_accept([this](std::error_code error, asio::ip::tcp::socket socket) {
            if (error) return;
            std::make_shared<Session>(std::move(socket))->read();
            accept();
        });
    }
    asio::ip::tcp::acceptor acceptor_;
};

class ReplayStage : public Stage, private Router, private OwnConnections {
public:
    explicit ReplayStage(const Endpoint& mirror) {
        target_.endpoints = {mirror};
        choice_.row = &ledger;
        choice_.target = &target_;
        Router& router = *this;
        OwnConnections& own = *this;
        replayer = std::make_unique<Replayer>(Replayer::Context{io, router, own, worker});
    }
    std::unique_ptr<StreamSink> open(const FlowTuple& tuple, OpenKind kind, TimeNs now) override {
        flows_.push_back(replayer->open(tuple, ledger, now));
        return std::make_unique<FlowProtocol>(context_, FlowProtocol::Flow{tuple, ledger, kind}, *flows_.back());
    }
    void settle() {
        TimeNs now = 200 * kSecond;
        for (int round = 0; round < 2000 && !replayer->drained(); ++round) {
            io.restart();
            io.run_for(std::chrono::milliseconds(1));
            replayer->tick(now += 100 * kMillisecond);
        }
        EXPECT_TRUE(replayer->drained());
        flows_.clear();
        replayer.reset();
        io.restart();
        io.poll();
    }

    static asio::io_context io;
    std::unique_ptr<Replayer> replayer;

private:
    Selection choose(const FlowTuple&, const RequestHead*, TimeNs) override { return {{&choice_, 1}}; }
    bool add(const FlowTuple&) override { return true; }
    void remove(const FlowTuple&) override {}

    rules::MirrorTarget target_;
    Choice choice_;
    std::vector<std::unique_ptr<ReplayFlow>> flows_;
};
asio::io_context ReplayStage::io;

class Pipeline : public testing::Test {
protected:
    void SetUp() override {
        const char* given = std::getenv("UMBRA_CORPORA");
        const fs::path archive = fs::path(given ? given : "../shared/corpora") / "fuzz/http-seeds.tar.gz";
        if (!fs::exists(archive)) GTEST_SKIP() << "corpora: no fuzz/http-seeds.tar.gz";
        folder_ = fs::path(testing::TempDir()) / ("umbra-pipeline-" + std::to_string(getpid()));
        fs::create_directories(folder_);
        const std::string command = "tar xzf '" + archive.string() + "' -C '" + folder_.string() + "'";
        ASSERT_EQ(std::system(command.c_str()), 0);
        for (const auto& entry : fs::recursive_directory_iterator(folder_)) {
            if (!entry.is_regular_file()) continue;
            std::ifstream file(entry.path(), std::ios::binary);
            seeds_.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
            if (seeds_.back().empty()) seeds_.pop_back();
        }
        ASSERT_GT(seeds_.size(), 3000u);
    }
    void TearDown() override {
        if (!folder_.empty()) fs::remove_all(folder_);
    }
    fs::path folder_;
    std::vector<std::string> seeds_;
};

TEST_F(Pipeline, AnySegmentationGivesTheSameRequests) {
    std::size_t requests = 0, streams = 0;
    unsigned number = 0;
    for (const std::string& seed : seeds_) {
        RecordingStage stage;
        {
            Reassembler reassembler({}, Mode::strict, stage, stage.worker);
            CapturedClient(reassembler, seed, ++number).play();
        }
        const Seen seen = stage.seen();
        EXPECT_TRUE(seen == in_one_piece(seed)) << "seed " << number << " of " << seed.size() << " bytes";
        expect_closed(stage.ledger);
        requests += seen.requests.size();
        streams += seen.streams.size();
    }
    EXPECT_GT(requests, 500u);
    EXPECT_GT(streams, 100u);
}

TEST_F(Pipeline, ReplayLeavesNothingOpenOrHeld) {
    BlindServer server(ReplayStage::io);
    std::uint64_t mirrored = 0;
    unsigned number = 0;
    for (const std::string& seed : seeds_) {
        if (++number % 4 != 0) continue;  // each has a connection of its own
        ReplayStage stage(server.endpoint());
        {
            Reassembler reassembler({}, Mode::strict, stage, stage.worker);
            CapturedClient(reassembler, seed, number).play();
        }
        stage.settle();
        expect_closed(stage.ledger);
        EXPECT_EQ(stage.worker.connections, 0u);
        EXPECT_EQ(stage.worker.queued_bytes, 0u);
        EXPECT_EQ(stage.worker.reassembly_bytes, 0u);
        mirrored += stage.ledger.mirrored.requests;
    }
    server.stop();
    ReplayStage::io.restart();
    ReplayStage::io.poll();
    EXPECT_GT(mirrored, 100u);
}

}  // namespace
}  // namespace umbra::test
