// HTTP/1 splitting: a client's bytes with server packets and gaps between them. However the bytes are cut into pieces,
// the same requests, raw bytes and counts must come out, and what is handed on must be the input's own bytes.
// Input: that of a Case (flow_case.h).
#include "fuzz/flow_run.h"

namespace umbra::fuzz {
namespace {

void check_own_bytes(const Case& given, const Recorder& recorder) {
    std::size_t at = 0;
    const auto check = [&](const std::string& piece) {
        const auto found = given.bytes.find(piece, at);
        require(found != std::string_view::npos, "what is handed on are the input's bytes, in order");
        require(!given.from_the_start() || found == at, "nothing between requests is left out");
        at = found + piece.size();
    };
    for (const Request& request : recorder.requests) check(request.bytes);
    check(recorder.raw);
}

}  // namespace
}  // namespace umbra::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace umbra::fuzz;
    Input input(data, size);
    const Case given(input);
    Run whole(given);
    run_in_any_pieces(given, whole);
    check_own_bytes(given, whole.recorder);
    return 0;
}
