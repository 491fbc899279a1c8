#include "alloc/standard_run.h"

#include "alloc/client_bytes.h"
#include "alloc/injector.h"

#include "umbra/abi/limits.h"

namespace umbra::test {

namespace {

constexpr const char* kHttp = "10.0.0.2:80";
constexpr const char* kHttp2 = "10.0.0.2:82";
constexpr const char* kRaw = "10.0.0.2:81";

ReassemblyLimits small_tables() {
    ReassemblyLimits limits;
    limits.memory = 4 << 20;
    limits.flows = limits.embryos = limits.closed_flows = 64;
    return limits;
}

rules::PlanRule rule(const std::string& key, std::uint16_t port, std::initializer_list<Endpoint> mirrors) {
    rules::PlanRule made;
    made.key = key;
    for (const Endpoint& mirror : mirrors) {
        made.mirrors.emplace_back();
        made.mirrors.back().targets = {{port, {mirror}}};
    }
    return made;
}

void edit(rules::MirrorSettings& settings, const std::string& environment) {
    settings.headers.set = {{"x-env", environment}};
    settings.redaction.headers = {{"authorization", rules::RedactedItem::Action::hash, ""},
                                  {"cookie", rules::RedactedItem::Action::drop, ""}};
    settings.redaction.query = {{"token", rules::RedactedItem::Action::drop, ""}};
    settings.client_address = rules::ClientAddress::forwarded_for;
}

}  // namespace

StandardRun::StandardRun(bool changes_plan) : changes_plan_(changes_plan), ledger_(UMBRA_MAX_RULES) {
    Pipeline::prepare_process();
    for (ScriptedServer* server : {&http1_, &second_, &raw_}) server->read_bytes = 16 * 1024;
    raw_.on_request = nullptr;
    raw_.on_data = [](ScriptedServer::Session& session) { session.send("+PONG\r\n"); };
}

CapturedClient StandardRun::client(const char* origin) {
    const FlowTuple tuple{*Endpoint::parse("10.9.0.1:" + std::to_string(next_port_++)), *Endpoint::parse(origin)};
    return CapturedClient(
        {[this](const Segment& segment) { event([&] { pipeline_->reassembler().on_segment(segment); }); },
         [this](const ServerHeader& header) { event([&] { pipeline_->reassembler().on_server(header); }); }, now_},
        tuple);
}

// As a worker: the event, then the sockets.
void StandardRun::event(const std::function<void()>& step) {
    {
        const Armed armed;
        pipeline_->attempt(step);
    }
    pump();
}

void StandardRun::pump() {
    for (int quiet = 0; quiet < 2;) {
        std::size_t done = 0;
        {
            const Armed armed;
            pipeline_->attempt([&] {
                io_.restart();
                done += io_.poll();
            });
        }
        server_io_.restart();
        done += server_io_.poll();
        quiet = done > 0 ? 0 : quiet + 1;
    }
}

void StandardRun::tick(TimeNs by) {
    now_ += by;
    event([this] {
        auto& reassembler = pipeline_->reassembler();
        reassembler.on_capture_drained(now_, reassembler.server_headers());
        reassembler.tick(now_);
        pipeline_->replayer().tick(now_);
    });
}

void StandardRun::change_plan(const char* environment) {
    PlanMessage message;
    message.plan.rules = {rule("default/http1", 80, {http1_.endpoint(), second_.endpoint()}),
                          rule("default/http2", 82, {http2_.endpoint()}), rule("default/raw", 81, {raw_.endpoint()})};
    edit(message.plan.rules[0].mirrors[0].settings, environment);
    message.plan.rules[0].mirrors[1].settings.order = rules::Order::request;
    message.plan.rules[1].mirrors[0].settings.headers.set = {{"x-env", environment}};
    message.plan.origins = {{*Endpoint::parse(kHttp), "http1", 80, {0}},
                            {*Endpoint::parse(kRaw), "raw", 81, {2}},
                            {*Endpoint::parse(kHttp2), "http2", 82, {1}}};
    message.slots = {3, 4, 5, 6};
    const Armed armed;
    if (!pipeline_->use_plan(message)) record_.plan_refused = true;
}

void StandardRun::settle() {
    for (int round = 0; round < 600 && !pipeline_->replayer().drained(); ++round) tick(50 * kMillisecond);
}

void StandardRun::speak_http1(const char* plan) {
    auto speaker = client(kHttp);
    speaker.connect();
    bool swapped = false;
    for (const std::string& request : http1_requests()) {
        speaker.say(request, swapped = !swapped);
        speaker.answer();
        tick(kMillisecond);
        if (changes_plan_ && request.starts_with("PUT")) change_plan(plan);
    }
    speaker.finish();
}

void StandardRun::lose_a_segment() {
    const auto& requests = http1_requests();
    auto speaker = client(kHttp);
    speaker.connect();
    speaker.say(requests[1].substr(0, 1000));
    speaker.lose(requests[1].substr(1000));
    speaker.answer();
    tick(kMillisecond);
    for (int i = 0; i < 2; ++i) {
        speaker.say(requests[2]);
        speaker.answer();
        tick(kMillisecond);
    }
    speaker.finish();
}

void StandardRun::join_midstream() {
    auto speaker = client(kHttp);
    for (int i = 0; i < 3; ++i) {
        speaker.say(http1_requests()[0]);
        speaker.answer();
        tick(kMillisecond);
    }
    speaker.finish();
}

void StandardRun::be_ambiguous() {
    auto speaker = client(kHttp);
    speaker.connect();
    speaker.say(http1_requests()[3]);
    speaker.acknowledge();
    speaker.say(smuggled_request());
    speaker.answer();
    speaker.finish();
}

void StandardRun::speak_http2() {
    auto speaker = client(kHttp2);
    speaker.connect();
    speaker.say(http2_session(), true);
    speaker.acknowledge();
    tick(200 * kMillisecond);
    speaker.finish();
}

void StandardRun::speak_raw() {
    auto speaker = client(kRaw);
    speaker.connect();
    speaker.say(raw_session());
    speaker.acknowledge();
    speaker.finish();
}

void StandardRun::speak_last() {
    settle();
    record_.failed_before_it = allocation_failed();
    const auto mirrored = ledger_[3].mirrored.requests;
    auto speaker = client(kHttp);
    speaker.connect();
    speaker.say(http1_requests()[1]);
    speaker.answer();
    speaker.finish();
    settle();
    record_.last_flow_mirrored = ledger_[3].mirrored.requests == mirrored + 1;
}

// At its start a process ends where memory fails; the next one is begun.
void StandardRun::start() {
    const Pipeline::Parts parts{io_, ledger_.data(), row_, -1, -1, Mode::strict, small_tables(), {}, {}};
    while (!pipeline_) {
        const Armed armed;
        try {
            pipeline_ = std::make_unique<Pipeline>(parts);
        } catch (const std::bad_alloc&) {
        }
    }
}

RunRecord StandardRun::play() {
    start();
    for (change_plan("first"); record_.plan_refused; change_plan("first")) record_.plan_refused = false;
    for (const char* plan : {"second", "third", "fourth", "fifth", "sixth"}) {
        speak_http1(plan);
        lose_a_segment();
        join_midstream();
        be_ambiguous();
        speak_http2();
        speak_raw();
    }
    speak_last();
    end();
    judge_ledger();
    judge_servers();
    return std::move(record_);
}

// As a worker that stops.
void StandardRun::end() {
    event([this] {
        pipeline_->reassembler().shutdown(now_);
        pipeline_->replayer().shutdown(now_);
    });
    pipeline_.reset();
    for (int i = 0; i < 3; ++i) {
        io_.restart();
        io_.poll();
        server_io_.restart();
        server_io_.poll();
    }
}

}  // namespace umbra::test
