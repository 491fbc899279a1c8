// Http2MirrorSession: the client's side of one HTTP/2 connection to a mirror, by nghttp2. Bytes in, bytes out; streams
// are Http2Stream records, in which it notes what the mirror did. Opens no socket and settles nothing: whoever owns it
// looks at `touched` after each call and decides. Responses are thrown away as they come, so windows stay open.
#pragma once

#include <nghttp2/nghttp2.h>

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "replay/http2_stream.h"

namespace umbra {

class Http2MirrorSession {
public:
    explicit Http2MirrorSession(ReplayShared& shared);
    ~Http2MirrorSession();
    Http2MirrorSession(const Http2MirrorSession&) = delete;
    Http2MirrorSession& operator=(const Http2MirrorSession&) = delete;

    // The mirror's SETTINGS are known and leave room for one more stream.
    bool takes_streams() const;
    // False: the connection takes no more streams, nothing changed.
    bool begin(Http2Stream& stream);
    // More of the stream's bytes, or its end, are there.
    void resume(Http2Stream& stream);
    // Ends a stream that was begun, unless it is closed; the record may go afterwards. True: there is a frame to send.
    bool reset(Http2Stream& stream, std::uint32_t code);
    void ping();
    void go_away();

    // Each false: what came is not HTTP/2, the connection must go.
    bool take(Bytes bytes);
    // Appends up to about `most` bytes to send.
    bool produce(std::string& out, std::size_t most);
    std::uint64_t produced() const { return produced_; }

    bool settings_seen() const { return settings_seen_; }
    bool going_away() const { return going_away_; }
    std::size_t open() const { return open_; }
    bool ever_began() const { return ever_began_; }

    std::vector<std::uint32_t> touched;  // client ids of streams whose record changed

private:
    struct Callbacks;
    struct Delete {
        void operator()(nghttp2_session* session) const { nghttp2_session_del(session); }
    };
    Http2Stream* find(std::int32_t id) const;
    void touch(const Http2Stream& stream) { touched.push_back(stream.client_id); }
    void note_reset(Http2Stream& stream, std::uint32_t code);
    void note_closed(std::int32_t id, std::uint32_t code);
    void note_frame(const nghttp2_frame& frame);
    ssize_t read_body(std::int32_t id, std::span<std::uint8_t> into, std::uint32_t& flags);
    bool submit_trailers(Http2Stream& stream);

    ReplayShared& shared_;
    std::unique_ptr<nghttp2_session, Delete> session_;
    std::unordered_map<std::int32_t, Http2Stream*> streams_;  // begun and not closed
    std::size_t open_ = 0;  // of the mirror's count: streams given up are in it until their reset is sent
    std::uint64_t produced_ = 0;
    bool settings_seen_ = false;
    bool going_away_ = false;
    bool ever_began_ = false;
    bool broken_ = false;
};

}  // namespace umbra
