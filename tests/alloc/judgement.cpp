// What of a standard run is right, whatever failed in it.
#include <algorithm>

#include "alloc/client_bytes.h"
#include "alloc/standard_run.h"
#include "base/settle.h"

#include "umbra/abi/limits.h"

namespace umbra::test {

namespace {

std::string text_of(const Fields& fields) {
    std::string out;
    for (const auto& field : fields) out += field.name + ": " + field.value + '\n';
    return out;
}

std::string text_of(const Http2Server::Request& request) {
    return text_of(request.fields) + '\n' + request.body + '\n' + text_of(request.trailers);
}

}  // namespace

void StandardRun::judge_ledger() {
    for (const umbra_ledger_row& row : ledger_) {
        record_.seen += row.seen.requests;
        record_.mirrored += row.mirrored.requests;
        record_.given_up += dropped_units(row, Reason::memory).requests;
        for (const Unit unit : {&umbra_units::flows, &umbra_units::requests, &umbra_units::bytes}) {
            if (row.in_flight.*unit == 0 && row.seen.*unit == settled_units(row, unit)) continue;
            record_.wrong.push_back("the ledger does not close: seen " + std::to_string(row.seen.*unit) + ", settled " +
                                    std::to_string(settled_units(row, unit)) + ", in flight " +
                                    std::to_string(row.in_flight.*unit));
        }
    }
    for (const auto gauge : {&umbra_worker_row::flows, &umbra_worker_row::embryos, &umbra_worker_row::connections,
                             &umbra_worker_row::reassembly_bytes, &umbra_worker_row::queued_bytes})
        if (row_.*gauge != 0) record_.wrong.push_back("a gauge is left at " + std::to_string(row_.*gauge));
}

// What arrived in part must not look whole: its connection was reset.
void StandardRun::judge_servers() {
    for (const ScriptedServer* server : {&http1_, &second_}) {
        for (const auto& session : server->sessions) {
            record_.requests.insert(session->requests.begin(), session->requests.end());
            if (session->parsed < session->received.size() && session->finished)
                record_.wrong.push_back("a connection ended in order inside a request");
        }
    }
    for (const auto& session : raw_.sessions) {
        if (!raw_session().starts_with(session->received)) record_.wrong.push_back("raw bytes that nobody sent");
        if (session->finished && !session->received.empty()) record_.raw.push_back(session->received);
    }
    for (const auto& session : http2_.sessions) {
        if (session->broken) record_.wrong.push_back("HTTP/2 that its server cannot read");
        for (const auto& [id, request] : session->requests)
            if (request.whole) record_.streams.insert(text_of(request));
    }
}

std::vector<std::string> strangers(const RunRecord& run, const std::vector<RunRecord>& references) {
    std::vector<std::string> found;
    const auto check = [&](const auto& what, auto member, const char* name) {
        const bool known = std::any_of(references.begin(), references.end(), [&](const RunRecord& reference) {
            const auto& all = reference.*member;
            return std::find(all.begin(), all.end(), what) != all.end();
        });
        if (!known) found.push_back(std::string(name) + " that was never sent so: " + what.substr(0, 300));
    };
    for (const auto& request : run.requests) check(request, &RunRecord::requests, "a request");
    for (const auto& stream : run.streams) check(stream, &RunRecord::streams, "a stream");
    for (const auto& session : run.raw) check(session, &RunRecord::raw, "a raw session");
    return found;
}

}  // namespace umbra::test
