// HTTP/2 splitting: the bytes after a client's preface. However they are cut into pieces, the same streams and counts
// must come out, and what the splitter holds stays small whatever the client sends.
// Input: that of a Case (flow_case.h), whose bytes begin after preface and empty SETTINGS; its events are left out.
#include <sanitizer/allocator_interface.h>

#include "fuzz/flow_run.h"

namespace umbra::fuzz {
namespace {

constexpr std::string_view kOpening("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0", 33);
// The decoder's table and a field in the making, a header list, nghttp2's own buffers and 256 streams.
constexpr std::size_t kMostHeld = 1 << 20;

class Forgetful : public Http2Sink {
public:
    umbra_ledger_row* stream_head(std::uint32_t, const RequestHead&, std::span<const HeaderField>, TimeNs) override {
        return &row_;
    }
    void stream_bytes(std::uint32_t, std::size_t) override {}
    void stream_data(std::uint32_t, Bytes, TimeNs) override {}
    void stream_trailers(std::uint32_t, std::span<const HeaderField>, TimeNs) override {}
    void stream_end(std::uint32_t, TimeNs) override {}
    void stream_reset(std::uint32_t, std::uint32_t, Reason, TimeNs) override {}

private:
    umbra_ledger_row row_{};
};

void check_memory(std::string_view bytes) {
    const std::size_t before = __sanitizer_get_current_allocated_bytes();
    Forgetful sink;
    umbra_ledger_row row{};
    const ProtocolLimits limits;
    Http2Splitter splitter(sink, row, limits);
    for (std::size_t at = 0; at < bytes.size() && !splitter.failed(); at += 64) {
        splitter.feed(as_bytes(bytes.substr(at, 64)), 1);
        require(__sanitizer_get_current_allocated_bytes() < before + kMostHeld, "what is held is limited");
    }
}

}  // namespace
}  // namespace umbra::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace umbra;
    using namespace umbra::fuzz;
    Input input(data, size);
    Case given(input, kOpening);
    given.flags &= 0xfe;  // from the first byte on
    given.events.clear();
    given.takes_http2 = true;
    Run whole(given);
    run_in_any_pieces(given, whole);
    check_memory(given.bytes);
    return 0;
}
