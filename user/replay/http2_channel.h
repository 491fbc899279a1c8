// Http2Channel: one connection of an Http2Relay to the mirror: a link and the session on it. Moves bytes between the
// two and finds out when the connection is over; its owner decides what that means for the streams.
#pragma once

#include <cstdint>
#include <optional>

#include "replay/http2_mirror_session.h"
#include "replay/mirror_link.h"

namespace umbra {

class Http2ChannelOwner {
public:
    virtual ~Http2ChannelOwner() = default;
    // The connection was made or could not be, frames came or went, or the connection ended. The channel may be gone
    // after each of these calls.
    virtual void channel_changed(Http2Channel& channel) = 0;
    virtual void channel_ticked(Http2Channel& channel) = 0;
    virtual bool channel_idle(const Http2Channel& channel) const = 0;
};

class Http2Channel : private LinkEvents {
public:
    enum class Status : std::uint8_t { open, connecting, failed };

    Http2Channel(ReplayShared& shared, Http2ChannelOwner& owner, const FlowTuple& flow)
        : shared_(shared), owner_(owner), link_(shared, *this, flow), session_(shared) {
        link_.speak(Alpn::http2);
    }

    // Makes the connection; once open it stays with its endpoint until it ends.
    Status open(Target& target, bool guard);
    Reason failure() const { return link_.failure(); }
    // The connection leads to one of the target's endpoints, and new streams may begin on it; it is then the target's.
    bool serves(Target& target, bool guard);
    // The socket takes no more bytes for now.
    bool blocked() { return link_.connected() && link_.connection().write_blocked(); }

    Http2MirrorSession& session() { return session_; }
    const Http2MirrorSession& session() const { return session_; }
    // Each false: the connection ended.
    bool read();
    bool flush();
    // Writes when the event loop's turn ends.
    void flush_soon();
    // All bytes up to the mark are in the kernel.
    bool flushed(std::uint64_t mark) const { return mark + link_.queued() <= session_.produced(); }

    // Set: the connection is over, and why its streams are lost.
    const std::optional<Reason>& ended() const { return ended_; }
    // A stream is outstanding as long as the result lives.
    Outstanding take_up() { return link_.take_up(Outstanding::Kind::request); }
    // Was open, and is not any more.
    bool gone() const { return ended_ || (opened_ && !link_.connected()); }
    void end(Reason reason) { ended_ = reason; }
    // Says farewell if it can. reset: the mirror must not take what it got for complete.
    void close(bool reset);
    TimeNs quiet_since() const { return link_.quiet_since(); }
    // False: the mirror owes something and has been silent for too long, a ping included.
    bool alive(bool mirror_owes);

private:
    void link_changed() override { owner_.channel_changed(*this); }
    void link_readable() override;
    void link_writable() override;
    void link_tick() override { owner_.channel_ticked(*this); }
    bool link_idle() const override { return owner_.channel_idle(*this); }
    bool send(Bytes bytes);
    bool fail(Reason reason);

    ReplayShared& shared_;
    Http2ChannelOwner& owner_;
    MirrorLink link_;
    Http2MirrorSession session_;
    std::optional<Reason> ended_;
    bool opened_ = false;
    TimeNs patience_ = 0;  // with a silent mirror, before and after a ping
    TimeNs heard_at_ = 0;
    TimeNs pinged_at_ = 0;  // 0: no ping is out
};

}  // namespace umbra
