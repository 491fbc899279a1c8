// Whole flows: any client bytes, with the protocol detected or fixed by policy. However the bytes are cut into pieces,
// the same requests, streams, raw bytes and counts must come out. Input: a byte that fixes the protocol (of four: not,
// HTTP/1, HTTP/2, raw), then that of a Case (flow_case.h).
#include "fuzz/flow_run.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace umbra;
    using namespace umbra::fuzz;
    constexpr std::optional<Detection> kFixed[] = {std::nullopt, Detection::http1, Detection::http2, Detection::raw};
    Input input(data, size);
    const auto fixed = kFixed[input.u8() % std::size(kFixed)];
    Case given(input);
    given.fixed = fixed;
    given.takes_http2 = true;
    Run whole(given);
    run_in_any_pieces(given, whole);
    return 0;
}
