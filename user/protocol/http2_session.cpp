#include "protocol/http2_session.h"

#include <nghttp2/nghttp2.h>

#include <iterator>
#include <limits>

#include "base/thread_scratch.h"
#include "protocol/grpc_metadata.h"
#include "wire/nghttp2_memory.h"

namespace umbra {

namespace {

constexpr std::size_t kKeptCapacity = 4 * 1024;
constexpr std::uint32_t kTableBytes = 64 * 1024, kMaxFrame = (1u << 24) - 1, kMaxWindow = (1u << 31) - 1;
constexpr std::size_t kMaxContinuations = std::numeric_limits<std::size_t>::max();  // header_block_bytes bounds them
constexpr std::string_view kSettingsAck("\0\0\0\4\1\0\0\0\0", 9);

std::string_view text(const std::uint8_t* at, std::size_t size) { return {reinterpret_cast<const char*>(at), size}; }

// Views of the fields of the block at hand live for one call, so a thread's flows share the room for them.
std::vector<HeaderField>& views_of_thread() { return thread_scratch<std::vector<HeaderField>, Http2Session>(); }

struct Options {
    Options() {
        wire::throw_if_exhausted(nghttp2_option_new(&option));
        nghttp2_option_set_no_closed_streams(option, 1);
        nghttp2_option_set_max_continuations(option, kMaxContinuations);
        nghttp2_option_set_no_rfc9113_leading_and_trailing_ws_validation(option, 1);
    }
    ~Options() { nghttp2_option_del(option); }
    Options(const Options&) = delete;
    Options& operator=(const Options&) = delete;
    nghttp2_option* option = nullptr;
};

}  // namespace

struct Http2Session::Callbacks {
    Callbacks() {
        wire::throw_if_exhausted(nghttp2_session_callbacks_new(&table));
        nghttp2_session_callbacks_set_on_header_callback(table, on_header);
        nghttp2_session_callbacks_set_on_invalid_header_callback(table, on_invalid_header);
        nghttp2_session_callbacks_set_on_frame_recv_callback(table, on_frame);
        nghttp2_session_callbacks_set_on_data_chunk_recv_callback(table, on_data);
        nghttp2_session_callbacks_set_on_stream_close_callback(table, on_stream_close);
        nghttp2_session_callbacks_set_on_frame_send_callback(table, on_send);
    }
    ~Callbacks() { nghttp2_session_callbacks_del(table); }
    Callbacks(const Callbacks&) = delete;
    Callbacks& operator=(const Callbacks&) = delete;

    static Http2Session& self(void* user) { return *static_cast<Http2Session*>(user); }
    static int on_header(nghttp2_session*, const nghttp2_frame*, const std::uint8_t* name, std::size_t name_size,
                         const std::uint8_t* value, std::size_t value_size, std::uint8_t flags, void* user) {
        return wire::within_nghttp2([&] {
            const bool never_index = (flags & NGHTTP2_NV_FLAG_NO_INDEX) != 0;
            const bool stored = self(user).store(text(name, name_size), text(value, value_size), never_index);
            return stored ? 0 : NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
        });
    }
    // nghttp2 would leave the field out; a request without it is another request.
    static int on_invalid_header(nghttp2_session*, const nghttp2_frame*, const std::uint8_t* name,
                                 std::size_t name_size, const std::uint8_t* value, std::size_t value_size,
                                 std::uint8_t flags, void* user) {
        return wire::within_nghttp2([&] {
            const bool never_index = (flags & NGHTTP2_NV_FLAG_NO_INDEX) != 0;
            const auto portable = portable_metadata(text(name, name_size), text(value, value_size));
            const bool named = nghttp2_check_header_name(name, name_size) != 0;
            const bool stored = named && portable && self(user).store(text(name, name_size), *portable, never_index);
            return stored ? 0 : NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
        });
    }
    static int on_frame(nghttp2_session*, const nghttp2_frame* frame, void* user) {
        if (frame->hd.type == NGHTTP2_HEADERS) self(user).block_ = Block::good;
        return 0;
    }
    static int on_data(nghttp2_session*, std::uint8_t, std::int32_t, const std::uint8_t* data, std::size_t size,
                       void* user) {
        self(user).heard_.data = as_bytes(text(data, size));
        return 0;
    }
    static int on_stream_close(nghttp2_session*, std::int32_t, std::uint32_t, void* user) {
        if (!self(user).closing_) self(user).heard_.gave_up = true;
        return 0;
    }
    static int on_send(nghttp2_session*, const nghttp2_frame* frame, void* user) {
        if (frame->hd.type == NGHTTP2_GOAWAY) self(user).heard_.broken = true;
        return 0;
    }

    nghttp2_session_callbacks* table = nullptr;
};

void Http2Session::Delete::operator()(nghttp2_session* session) const { nghttp2_session_del(session); }

Http2Session::Http2Session(const ProtocolLimits& limits) : limits_(limits) {
    static const Callbacks kCallbacks;
    static const Options kOptions;
    nghttp2_session* session = nullptr;
    wire::throw_if_exhausted(nghttp2_session_server_new2(&session, kCallbacks.table, this, kOptions.option));
    session_.reset(session);
    submit_settings();
}

void Http2Session::submit_settings() {
    const nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_HEADER_TABLE_SIZE, kTableBytes},
                                               {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, kMaxWindow},
                                               {NGHTTP2_SETTINGS_MAX_FRAME_SIZE, kMaxFrame},
                                               {NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1},
                                               {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1}};
    wire::throw_if_exhausted(nghttp2_submit_settings(session_.get(), NGHTTP2_FLAG_NONE, settings, std::size(settings)));
    wire::throw_if_exhausted(nghttp2_session_set_local_window_size(session_.get(), NGHTTP2_FLAG_NONE, 0, kMaxWindow));
    drain();
}

Http2Session::Heard Http2Session::feed(Bytes bytes) {
    heard_ = {};
    const auto* at = reinterpret_cast<const std::uint8_t*>(bytes.data());
    const auto taken = wire::throw_if_exhausted(nghttp2_session_mem_recv(session_.get(), at, bytes.size()));
    if (taken != static_cast<ssize_t>(bytes.size())) heard_.broken = true;
    drain();
    return heard_;
}

// The client acknowledges the server's SETTINGS, which need not be as many as ours and which it may obey before: its
// acknowledgements stay outside, ours is made here.
Http2Session::Heard Http2Session::begin() { return feed(as_bytes(kSettingsAck)); }

void Http2Session::drain() {
    const std::uint8_t* out = nullptr;
    ssize_t size = 0;
    do {
        size = wire::throw_if_exhausted(nghttp2_session_mem_send(session_.get(), &out));
    } while (size > 0);
    if (size < 0) heard_.broken = true;
}

void Http2Session::begin_block() {
    block_ = Block::invalid;
    text_.clear();
    stored_.clear();
    if (text_.capacity() > kKeptCapacity) {
        text_.shrink_to_fit();
        stored_.shrink_to_fit();
    }
}

bool Http2Session::store(std::string_view name, std::string_view value, bool never_index) {
    const std::size_t listed = text_.size() + name.size() + value.size();
    if (limits_.header_list_bytes.exceeded_by(listed + (stored_.size() + 1) * kFieldOverhead)) {
        block_ = Block::oversized;
        return false;
    }
    text_.append(name).append(value);
    stored_.push_back({name.size(), value.size(), never_index});
    return true;
}

std::span<const HeaderField> Http2Session::fields() {
    std::vector<HeaderField>& views = views_of_thread();
    views.clear();
    const std::string_view all = text_;
    std::size_t at = 0;
    for (const StoredField& field : stored_) {
        views.push_back({all.substr(at, field.name), all.substr(at + field.name, field.value), field.never_index});
        at += field.name + field.value;
    }
    return views;
}

void Http2Session::close_stream(std::uint32_t stream) {
    closing_ = true;
    wire::throw_if_exhausted(nghttp2_submit_rst_stream(session_.get(), NGHTTP2_FLAG_NONE,
                                                       static_cast<std::int32_t>(stream), NGHTTP2_NO_ERROR));
    drain();
    closing_ = false;
}

}  // namespace umbra
