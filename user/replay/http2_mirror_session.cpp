#include "replay/http2_mirror_session.h"

#include <array>
#include <charconv>

#include "wire/nghttp2_memory.h"

namespace umbra {

namespace {

constexpr std::uint32_t kStreamWindow = 16 * 1024 * 1024;
constexpr std::int32_t kConnectionWindow = 64 * 1024 * 1024;
constexpr std::size_t kHeaderBlock = 256 * 1024;  // as sent; the client's list is bounded where it is decoded

struct OptionDelete {
    void operator()(nghttp2_option* option) const { nghttp2_option_del(option); }
};
struct CallbacksDelete {
    void operator()(nghttp2_session_callbacks* callbacks) const { nghttp2_session_callbacks_del(callbacks); }
};

std::vector<nghttp2_nv> to_nv(const std::vector<HeaderField>& fields) {
    std::vector<nghttp2_nv> out;
    out.reserve(fields.size());
    for (const HeaderField& field : fields) {
        const auto* name = reinterpret_cast<const std::uint8_t*>(field.name.data());
        const auto* value = reinterpret_cast<const std::uint8_t*>(field.value.data());
        const std::uint8_t flags = field.never_index ? NGHTTP2_NV_FLAG_NO_INDEX : NGHTTP2_NV_FLAG_NONE;
        out.push_back({const_cast<std::uint8_t*>(name), const_cast<std::uint8_t*>(value), field.name.size(),
                       field.value.size(), flags});
    }
    return out;
}

bool ends_stream(const nghttp2_frame& frame) {
    const bool carries = frame.hd.type == NGHTTP2_HEADERS || frame.hd.type == NGHTTP2_DATA;
    return carries && (frame.hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
}

}  // namespace

// What nghttp2 calls; none of it calls back into the session's sending or receiving.
struct Http2MirrorSession::Callbacks {
    static Http2MirrorSession& self(void* user) { return *static_cast<Http2MirrorSession*>(user); }

    static int frame_received(nghttp2_session*, const nghttp2_frame* frame, void* user) {
        return wire::within_nghttp2([&] {
            self(user).note_frame(*frame);
            return 0;
        });
    }
    static int data_received(nghttp2_session*, std::uint8_t, std::int32_t id, const std::uint8_t*, std::size_t,
                             void* user) {
        if (Http2Stream* stream = self(user).find(id)) stream->progress_at = self(user).shared_.now;
        return 0;
    }
    static int header(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name, std::size_t name_size,
                      const std::uint8_t* value, std::size_t value_size, std::uint8_t, void* user) {
        if (std::string_view(reinterpret_cast<const char*>(name), name_size) != ":status") return 0;
        const auto* text = reinterpret_cast<const char*>(value);
        Http2Stream* stream = self(user).find(frame->hd.stream_id);
        if (stream) std::from_chars(text, text + value_size, stream->status);
        return 0;
    }
    static int frame_sent(nghttp2_session*, const nghttp2_frame* frame, void* user) {
        // nghttp2 ends the session like this when the mirror breaks the protocol.
        const bool goaway = frame->hd.type == NGHTTP2_GOAWAY;
        if (goaway && frame->goaway.error_code != NGHTTP2_NO_ERROR) self(user).broken_ = true;
        Http2Stream* stream = self(user).find(frame->hd.stream_id);
        if (!stream) return 0;
        if (frame->hd.type == NGHTTP2_HEADERS) stream->head_sent = true;
        if (!ends_stream(*frame)) return 0;
        stream->sent = true;
        stream->sent_mark = self(user).produced_;
        return touch(user, *stream);
    }
    // A head or trailers that cannot be sent: the mirror goes away, or they are larger than a header block may be.
    static int frame_not_sent(nghttp2_session*, const nghttp2_frame* frame, int, void* user) {
        Http2Stream* stream = self(user).find(frame->hd.stream_id);
        if (!stream || frame->hd.type != NGHTTP2_HEADERS || stream->failure) return 0;
        stream->failure = self(user).going_away_ ? Reason::mirror_refused : Reason::header_size;
        return touch(user, *stream);
    }
    static int touch(void* user, Http2Stream& stream) {
        return wire::within_nghttp2([&] {
            self(user).touch(stream);
            return 0;
        });
    }
    static int stream_closed(nghttp2_session*, std::int32_t id, std::uint32_t code, void* user) {
        return wire::within_nghttp2([&] {
            self(user).note_closed(id, code);
            return 0;
        });
    }
    static ssize_t read(nghttp2_session*, std::int32_t id, std::uint8_t* into, std::size_t size, std::uint32_t* flags,
                        nghttp2_data_source*, void* user) {
        try {
            return self(user).read_body(id, {into, size}, *flags);
        } catch (const std::bad_alloc&) {
            return NGHTTP2_ERR_CALLBACK_FAILURE;
        }
    }
    static std::unique_ptr<nghttp2_session_callbacks, CallbacksDelete> make() {
        nghttp2_session_callbacks* all = nullptr;
        wire::throw_if_exhausted(nghttp2_session_callbacks_new(&all));
        nghttp2_session_callbacks_set_on_frame_recv_callback(all, frame_received);
        nghttp2_session_callbacks_set_on_data_chunk_recv_callback(all, data_received);
        nghttp2_session_callbacks_set_on_header_callback(all, header);
        nghttp2_session_callbacks_set_on_frame_send_callback(all, frame_sent);
        nghttp2_session_callbacks_set_on_frame_not_send_callback(all, frame_not_sent);
        nghttp2_session_callbacks_set_on_stream_close_callback(all, stream_closed);
        return std::unique_ptr<nghttp2_session_callbacks, CallbacksDelete>(all);
    }
};

Http2MirrorSession::Http2MirrorSession(ReplayShared& shared) : shared_(shared) {
    nghttp2_option* raw_option = nullptr;
    wire::throw_if_exhausted(nghttp2_option_new(&raw_option));
    const std::unique_ptr<nghttp2_option, OptionDelete> option(raw_option);
    nghttp2_option_set_no_closed_streams(option.get(), 1);
    nghttp2_option_set_max_send_header_block_length(option.get(), kHeaderBlock);
    static const auto callbacks = Callbacks::make();
    nghttp2_session* raw_session = nullptr;
    wire::throw_if_exhausted(nghttp2_session_client_new2(&raw_session, callbacks.get(), this, option.get()));
    session_.reset(raw_session);
    const std::array<nghttp2_settings_entry, 2> settings{
        {{NGHTTP2_SETTINGS_ENABLE_PUSH, 0}, {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, kStreamWindow}}};
    wire::throw_if_exhausted(nghttp2_submit_settings(raw_session, NGHTTP2_FLAG_NONE, settings.data(), settings.size()));
    wire::throw_if_exhausted(
        nghttp2_session_set_local_window_size(raw_session, NGHTTP2_FLAG_NONE, 0, kConnectionWindow));
}

Http2MirrorSession::~Http2MirrorSession() = default;

Http2Stream* Http2MirrorSession::find(std::int32_t id) const {
    const auto found = streams_.find(id);
    return found == streams_.end() ? nullptr : found->second;
}

bool Http2MirrorSession::takes_streams() const {
    if (!settings_seen_ || going_away_) return false;
    return open_ < nghttp2_session_get_remote_settings(session_.get(), NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
}

bool Http2MirrorSession::begin(Http2Stream& stream) {
    if (going_away_ || nghttp2_session_check_request_allowed(session_.get()) == 0) return false;
    const bool head_only = stream.complete && stream.body() == 0 && stream.trailers() == 0;
    const std::string encoded = stream.take_head();
    const auto fields = decode_fields(encoded);
    const auto nv = to_nv(fields);
    nghttp2_data_provider provider{};
    provider.read_callback = Callbacks::read;
    const auto* body = head_only ? nullptr : &provider;
    const std::int32_t id =
        wire::throw_if_exhausted(nghttp2_submit_request(session_.get(), nullptr, nv.data(), nv.size(), body, nullptr));
    ever_began_ = true;
    stream.progress_at = shared_.now;
    if (id < 0) {
        stream.failure = Reason::mirror_refused;
        touch(stream);
        return true;
    }
    stream.id = id;
    streams_.emplace(id, &stream);
    ++open_;
    return true;
}

void Http2MirrorSession::resume(Http2Stream& stream) {
    if (!stream.deferred) return;
    stream.deferred = false;
    wire::throw_if_exhausted(nghttp2_session_resume_data(session_.get(), stream.id));
}

bool Http2MirrorSession::reset(Http2Stream& stream, std::uint32_t code) {
    if (streams_.erase(stream.id) == 0) return false;
    return wire::throw_if_exhausted(nghttp2_submit_rst_stream(session_.get(), NGHTTP2_FLAG_NONE, stream.id, code)) == 0;
}

void Http2MirrorSession::ping() {
    wire::throw_if_exhausted(nghttp2_submit_ping(session_.get(), NGHTTP2_FLAG_NONE, nullptr));
}

void Http2MirrorSession::go_away() {
    wire::throw_if_exhausted(nghttp2_submit_goaway(session_.get(), NGHTTP2_FLAG_NONE, 0, NGHTTP2_NO_ERROR, nullptr, 0));
}

bool Http2MirrorSession::take(Bytes bytes) {
    const auto* data = reinterpret_cast<const std::uint8_t*>(bytes.data());
    return wire::throw_if_exhausted(nghttp2_session_mem_recv(session_.get(), data, bytes.size())) >= 0;
}

bool Http2MirrorSession::produce(std::string& out, std::size_t most) {
    while (out.size() < most) {
        const std::uint8_t* data = nullptr;
        const ssize_t count = wire::throw_if_exhausted(nghttp2_session_mem_send(session_.get(), &data));
        if (count < 0 || broken_) return false;
        if (count == 0) return true;
        out.append(reinterpret_cast<const char*>(data), static_cast<std::size_t>(count));
        produced_ += static_cast<std::uint64_t>(count);
    }
    return true;
}

ssize_t Http2MirrorSession::read_body(std::int32_t id, std::span<std::uint8_t> into, std::uint32_t& flags) {
    Http2Stream* stream = find(id);
    if (!stream) return NGHTTP2_ERR_DEFERRED;
    const std::size_t count = stream->take_body(into);
    const bool last = stream->complete && stream->body() == 0;
    if (count > 0) stream->progress_at = shared_.now;
    if (count == 0 && !last) {
        stream->deferred = true;
        return NGHTTP2_ERR_DEFERRED;
    }
    if (!last) return static_cast<ssize_t>(count);
    flags |= NGHTTP2_DATA_FLAG_EOF;
    if (stream->trailers() > 0) {
        flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
        if (!submit_trailers(*stream)) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    return static_cast<ssize_t>(count);
}

bool Http2MirrorSession::submit_trailers(Http2Stream& stream) {
    const std::string encoded = stream.take_trailers();
    const auto fields = decode_fields(encoded);
    const auto nv = to_nv(fields);
    return wire::throw_if_exhausted(nghttp2_submit_trailer(session_.get(), stream.id, nv.data(), nv.size())) == 0;
}

void Http2MirrorSession::note_reset(Http2Stream& stream, std::uint32_t code) {
    if (code == NGHTTP2_NO_ERROR && stream.answered) {
        stream.waived = true;
    } else if (!stream.failure) {
        stream.failure = code == NGHTTP2_REFUSED_STREAM ? Reason::mirror_refused : Reason::mirror_reset;
    }
    touch(stream);
}

void Http2MirrorSession::note_frame(const nghttp2_frame& frame) {
    if (frame.hd.type == NGHTTP2_SETTINGS) settings_seen_ = true;
    if (frame.hd.type == NGHTTP2_GOAWAY) going_away_ = true;
    if (frame.hd.type == NGHTTP2_PUSH_PROMISE) {
        wire::throw_if_exhausted(nghttp2_submit_rst_stream(
            session_.get(), NGHTTP2_FLAG_NONE, frame.push_promise.promised_stream_id, NGHTTP2_REFUSED_STREAM));
    }
    Http2Stream* stream = find(frame.hd.stream_id);
    if (!stream) return;
    stream->progress_at = shared_.now;
    if (frame.hd.type == NGHTTP2_RST_STREAM) note_reset(*stream, frame.rst_stream.error_code);
    if (!ends_stream(frame) || stream->answered) return;
    stream->answered = true;
    bump(shared_.worker.responses);
    const std::size_t status_class = stream->status / 100;
    if (status_class < shared_.answers.by_class.size()) ++shared_.answers.by_class[status_class];
    touch(*stream);
}

void Http2MirrorSession::note_closed(std::int32_t id, std::uint32_t code) {
    if (id % 2 == 1 && open_ > 0) --open_;
    Http2Stream* stream = find(id);
    if (!stream) return;
    streams_.erase(id);
    touch(*stream);
    const bool whole = stream->answered && stream->sent;
    if (whole || stream->waived || stream->failure) return;
    // Without a reset by the mirror: its GOAWAY did not cover the stream, or the response was not valid.
    const bool refused = code == NGHTTP2_REFUSED_STREAM || (going_away_ && !stream->head_sent);
    stream->failure = refused ? Reason::mirror_refused : Reason::response_invalid;
}

}  // namespace umbra
