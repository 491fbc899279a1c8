#include "wire/http1_response.h"

#include <llhttp.h>

namespace umbra::wire {

struct ResponseFramer::Impl {
    llhttp_t parser;
    Method method = Method::other;
    bool complete = false;
    bool upgraded = false;
    bool keep_alive = false;

    static Impl& of(llhttp_t* parser) { return *static_cast<Impl*>(parser->data); }
    static int on_headers_complete(llhttp_t* parser);
    static int on_message_complete(llhttp_t* parser);
};

namespace {
constexpr int kNoBody = 1;
constexpr int kNoBodyAndUpgrade = 2;
}  // namespace

int ResponseFramer::Impl::on_headers_complete(llhttp_t* parser) {
    Impl& self = of(parser);
    const unsigned status = parser->status_code;
    self.upgraded = status == 101 || (self.method == Method::connect && status / 100 == 2);
    if (self.upgraded) return kNoBodyAndUpgrade;
    const bool bodiless = status / 100 == 1 || status == 204 || status == 304;
    return bodiless || self.method == Method::head ? kNoBody : 0;
}

int ResponseFramer::Impl::on_message_complete(llhttp_t* parser) {
    Impl& self = of(parser);
    if (parser->status_code / 100 == 1 && !self.upgraded) return 0;
    self.complete = true;
    self.keep_alive = llhttp_should_keep_alive(parser) != 0;
    return HPE_PAUSED;
}

ResponseFramer::ResponseFramer() : impl_(std::make_unique<Impl>()) {}
ResponseFramer::~ResponseFramer() = default;

void ResponseFramer::begin(Method method) {
    static const llhttp_settings_t settings = [] {
        llhttp_settings_t value;
        llhttp_settings_init(&value);
        value.on_headers_complete = Impl::on_headers_complete;
        value.on_message_complete = Impl::on_message_complete;
        return value;
    }();
    llhttp_init(&impl_->parser, HTTP_RESPONSE, &settings);
    impl_->parser.data = impl_.get();
    llhttp_set_lenient_headers(&impl_->parser, 1);
    llhttp_set_lenient_chunked_length(&impl_->parser, 1);
    impl_->method = method;
    impl_->complete = impl_->upgraded = impl_->keep_alive = false;
}

ResponseFramer::Step ResponseFramer::feed(Bytes bytes) {
    const char* begin = reinterpret_cast<const char*>(bytes.data());
    const llhttp_errno_t state = llhttp_execute(&impl_->parser, begin, bytes.size());
    if (state == HPE_OK) return {State::more, bytes.size()};
    if (!impl_->complete) return {State::invalid, 0};
    const auto consumed = static_cast<std::size_t>(llhttp_get_error_pos(&impl_->parser) - begin);
    return {impl_->upgraded ? State::upgraded : State::complete, consumed};
}

ResponseFramer::State ResponseFramer::finish() {
    llhttp_finish(&impl_->parser);
    return impl_->complete ? State::complete : State::more;
}

bool ResponseFramer::keep_alive() const { return impl_->keep_alive; }

unsigned ResponseFramer::status() const { return impl_->parser.status_code; }

}  // namespace umbra::wire
