// StandardRun: everything that a terminator does, on one thread and in one process: clients that speak HTTP/1.1 with
// keep-alive, HTTP/2 and raw bytes, a lost segment, a flow joined midstream, an ambiguous request, edited heads, a
// second mirror, a change of plan; and servers on loopback that answer and record. The pipeline's allocations are
// numbered (injector.h), the servers' and the clients' are not. Runs of the same allocations do the same.
#pragma once

#include <asio.hpp>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "alloc/captured_client.h"
#include "terminator/pipeline.h"
#include "unit/replay/http2_server.h"
#include "unit/replay/scripted_server.h"

namespace umbra::test {

struct RunRecord {
    std::multiset<std::string> requests;                 // of HTTP/1, that arrived whole
    std::multiset<std::string> streams;                  // of HTTP/2, that arrived whole
    std::vector<std::string> raw;                        // sessions that ended in order
    std::vector<std::string> wrong;                      // what may never be, whatever failed
    std::uint64_t seen = 0, mirrored = 0, given_up = 0;  // requests; given_up: for lack of memory
    bool last_flow_mirrored = false;                     // that one begins when everything else is over
    bool failed_before_it = false;
    bool plan_refused = false;
};

class StandardRun {
public:
    explicit StandardRun(bool changes_plan = true);
    RunRecord play();

private:
    CapturedClient client(const char* origin);
    void start();
    void event(const std::function<void()>& step);
    void pump();
    void tick(TimeNs by);
    void change_plan(const char* environment);
    void settle();

    void speak_http1(const char* plan);
    void lose_a_segment();
    void join_midstream();
    void be_ambiguous();
    void speak_http2();
    void speak_raw();
    void speak_last();
    void end();
    void judge_ledger();
    void judge_servers();

    const bool changes_plan_;
    asio::io_context io_, server_io_;
    TimeNs now_ = 1000 * kSecond;
    std::uint16_t next_port_ = 40000;
    std::vector<umbra_ledger_row> ledger_;
    umbra_worker_row row_{};
    ScriptedServer http1_{server_io_}, second_{server_io_}, raw_{server_io_};
    Http2Server http2_{server_io_};
    std::unique_ptr<Pipeline> pipeline_;
    RunRecord record_;
};

// What a run with failures did that a run of these may not: something arrived that none of them sent.
std::vector<std::string> strangers(const RunRecord& run, const std::vector<RunRecord>& references);

}  // namespace umbra::test
