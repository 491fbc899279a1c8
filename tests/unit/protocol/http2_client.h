// Http2Client: what an HTTP/2 client may send, written frame by frame, well formed or not.
// NgClient: what nghttp2's own client sends.
#pragma once

#include <gtest/gtest.h>
#include <nghttp2/nghttp2.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace umbra::test {

using Fields = std::vector<std::pair<std::string, std::string>>;

inline Fields request_fields(const std::string& method, const std::string& path, const Fields& more = {}) {
    Fields out = {{":method", method}, {":scheme", "http"}, {":path", path}, {":authority", "a"}};
    out.insert(out.end(), more.begin(), more.end());
    return out;
}

inline std::vector<nghttp2_nv> to_nv(const Fields& fields, std::uint8_t flags = NGHTTP2_NV_FLAG_NONE) {
    std::vector<nghttp2_nv> out;
    for (const auto& [name, value] : fields) {
        out.push_back({reinterpret_cast<std::uint8_t*>(const_cast<char*>(name.data())),
                       reinterpret_cast<std::uint8_t*>(const_cast<char*>(value.data())), name.size(), value.size(),
                       flags});
    }
    return out;
}

inline std::string u32(std::uint32_t value) {
    std::string out;
    for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift & 0xff);
    return out;
}

inline std::string h2_frame(unsigned type, unsigned flags, std::uint32_t stream, const std::string& payload) {
    return u32(static_cast<std::uint32_t>(payload.size())).substr(1) + static_cast<char>(type) +
           static_cast<char>(flags) + u32(stream) + payload;
}

inline std::string setting(unsigned id, std::uint32_t value) {
    return std::string{static_cast<char>(id >> 8), static_cast<char>(id & 0xff)} + u32(value);
}

constexpr unsigned kEndStream = NGHTTP2_FLAG_END_STREAM, kEndHeaders = NGHTTP2_FLAG_END_HEADERS,
                   kPadded = NGHTTP2_FLAG_PADDED, kPriority = NGHTTP2_FLAG_PRIORITY;

class Http2Client {
public:
    explicit Http2Client(const std::string& settings = "") {
        nghttp2_hd_deflate_new(&deflater_, 1 << 20);
        bytes =
            std::string(NGHTTP2_CLIENT_MAGIC, NGHTTP2_CLIENT_MAGIC_LEN) + h2_frame(NGHTTP2_SETTINGS, 0, 0, settings);
    }
    ~Http2Client() { nghttp2_hd_deflate_del(deflater_); }
    Http2Client(const Http2Client&) = delete;
    Http2Client& operator=(const Http2Client&) = delete;

    std::string block(const Fields& fields, std::uint8_t flags = NGHTTP2_NV_FLAG_NONE) {
        const auto nv = to_nv(fields, flags);
        std::string out(nghttp2_hd_deflate_bound(deflater_, nv.data(), nv.size()), 0);
        const auto size = nghttp2_hd_deflate_hd(deflater_, reinterpret_cast<std::uint8_t*>(out.data()), out.size(),
                                                nv.data(), nv.size());
        EXPECT_GE(size, 0);
        out.resize(static_cast<std::size_t>(size));
        return out;
    }
    void table_size(std::size_t size) { nghttp2_hd_deflate_change_table_size(deflater_, size); }

    Http2Client& raw(const std::string& text) {
        bytes += text;
        return *this;
    }
    Http2Client& frame(unsigned type, unsigned flags, std::uint32_t stream, const std::string& payload) {
        return raw(h2_frame(type, flags, stream, payload));
    }
    Http2Client& headers(std::uint32_t stream, const Fields& fields, unsigned flags = 0) {
        return frame(NGHTTP2_HEADERS, flags | kEndHeaders, stream, block(fields));
    }
    Http2Client& get(std::uint32_t stream, const std::string& path) {
        return headers(stream, request_fields("GET", path), kEndStream);
    }
    Http2Client& post(std::uint32_t stream, const std::string& path, const Fields& more = {}) {
        return headers(stream, request_fields("POST", path, more));
    }
    Http2Client& data(std::uint32_t stream, const std::string& data, unsigned flags = 0) {
        return frame(NGHTTP2_DATA, flags, stream, data);
    }
    Http2Client& padded(std::uint32_t stream, const std::string& data, std::size_t pad, unsigned flags = 0) {
        return frame(NGHTTP2_DATA, flags | kPadded, stream, static_cast<char>(pad) + data + std::string(pad, '\0'));
    }
    Http2Client& reset(std::uint32_t stream, std::uint32_t code = NGHTTP2_CANCEL) {
        return frame(NGHTTP2_RST_STREAM, 0, stream, u32(code));
    }

    std::string bytes;

private:
    nghttp2_hd_deflater* deflater_ = nullptr;
};

class NgClient {
public:
    NgClient() {
        nghttp2_session_callbacks* callbacks = nullptr;
        nghttp2_session_callbacks_new(&callbacks);
        nghttp2_session_client_new(&session, callbacks, this);
        nghttp2_session_callbacks_del(callbacks);
        nghttp2_submit_settings(session, 0, nullptr, 0);
        flush();
    }
    ~NgClient() { nghttp2_session_del(session); }
    NgClient(const NgClient&) = delete;
    NgClient& operator=(const NgClient&) = delete;

    std::int32_t request(const Fields& fields, const std::string* body = nullptr, const Fields& trailers = {}) {
        const auto nv = to_nv(fields);
        nghttp2_data_provider provider{};
        if (body) {
            bodies_.push_back(std::make_unique<Body>(Body{*body, 0, trailers}));
            provider = {{.ptr = bodies_.back().get()}, read};
        }
        const auto id =
            nghttp2_submit_request(session, nullptr, nv.data(), nv.size(), body ? &provider : nullptr, nullptr);
        flush();
        return id;
    }
    // What its server sends.
    void receive(const std::string& frames) {
        const auto* at = reinterpret_cast<const std::uint8_t*>(frames.data());
        EXPECT_EQ(nghttp2_session_mem_recv(session, at, frames.size()), static_cast<ssize_t>(frames.size()));
        flush();
    }
    void flush() {
        const std::uint8_t* out = nullptr;
        for (ssize_t size; (size = nghttp2_session_mem_send(session, &out)) > 0;) {
            bytes.append(reinterpret_cast<const char*>(out), static_cast<std::size_t>(size));
        }
    }

    std::string bytes;
    nghttp2_session* session = nullptr;

private:
    struct Body {
        std::string text;
        std::size_t at;
        Fields trailers;
    };
    static ssize_t read(nghttp2_session* session, std::int32_t id, std::uint8_t* out, std::size_t room,
                        std::uint32_t* flags, nghttp2_data_source* source, void*) {
        Body& body = *static_cast<Body*>(source->ptr);
        const std::size_t size = std::min(room, body.text.size() - body.at);
        std::copy_n(body.text.data() + body.at, size, out);
        body.at += size;
        if (body.at < body.text.size()) return static_cast<ssize_t>(size);
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        if (!body.trailers.empty()) {
            *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
            const auto nv = to_nv(body.trailers);
            nghttp2_submit_trailer(session, id, nv.data(), nv.size());
        }
        return static_cast<ssize_t>(size);
    }

    std::vector<std::unique_ptr<Body>> bodies_;
};

}  // namespace umbra::test
