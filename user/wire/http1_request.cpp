#include "wire/http1_request.h"

#include <llhttp.h>

#include <algorithm>
#include <array>

namespace umbra::wire {

namespace {

int pause(llhttp_t*) { return HPE_PAUSED; }

const llhttp_settings_t& settings() {
    static const llhttp_settings_t shared = [] {
        llhttp_settings_t value;
        llhttp_settings_init(&value);
        value.on_headers_complete = pause;
        return value;
    }();
    return shared;
}

bool llhttp_knows(std::string_view method) {
    constexpr auto kMethods = std::to_array<std::string_view>({
#define UMBRA_METHOD(number, name, string) #string,
        HTTP_ALL_METHOD_MAP(UMBRA_METHOD)
#undef UMBRA_METHOD
    });
    return std::find(kMethods.begin(), kMethods.end(), method) != kMethods.end();
}

// A method does not change how a request is framed (but CONNECT, which llhttp knows): one that llhttp has not heard
// of is shown to it as POST.
HttpFault ask_llhttp(std::string_view head, const Http1Head& out) {
    llhttp_t parser;
    llhttp_init(&parser, HTTP_REQUEST, &settings());
    llhttp_errno_t state = HPE_OK;
    if (!llhttp_knows(out.method)) {
        constexpr std::string_view kKnown = "POST";
        state = llhttp_execute(&parser, kKnown.data(), kKnown.size());
        head.remove_prefix(static_cast<std::size_t>(out.method.data() + out.method.size() - head.data()));
    }
    if (state == HPE_OK) state = llhttp_execute(&parser, head.data(), head.size());
    if (state != HPE_PAUSED) return HttpFault::invalid;
    const bool chunked = (parser.flags & F_CHUNKED) != 0;
    const std::uint64_t length = parser.flags & F_CONTENT_LENGTH ? parser.content_length : 0;
    if (chunked != (out.body == BodyKind::chunked) || length != out.content_length) return HttpFault::ambiguous;
    return HttpFault::none;
}

}  // namespace

HttpFault RequestParser::head(std::string_view head, Http1Head& out) {
    if (const HttpFault fault = check_head(head, out); fault != HttpFault::none) return fault;
    if (const HttpFault fault = ask_llhttp(head, out); fault != HttpFault::none) return fault;
    body_ = out.body;
    left_ = out.content_length;
    chunks_.begin();
    return HttpFault::none;
}

RequestParser::BodyStep RequestParser::body(Bytes bytes) {
    if (body_ == BodyKind::chunked) return chunks_.feed(as_text(bytes));
    const std::size_t part = std::min<std::uint64_t>(left_, bytes.size());
    left_ -= part;
    return {part, left_ == 0, HttpFault::none};
}

}  // namespace umbra::wire
