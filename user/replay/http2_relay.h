// Http2Relay: a client's HTTP/2 streams on their way to one mirror, each a stream of its own on an HTTP/2 connection
// there. Streams wait here until they may be begun, and are settled in the ledger: mirrored when the mirror's response
// ended and all of the client's bytes were sent; what fails once is not tried again. A mirror that goes away keeps its
// old connection until the streams on it are done, while new ones use the next.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "replay/http2_channel.h"

namespace umbra {

class Http2RelayOwner {
public:
    virtual ~Http2RelayOwner() = default;
    // The last thing that an event does: the relay may be gone afterwards. Never called from within a client's call.
    virtual void relay_event() = 0;
};

class Http2Relay : private Http2ChannelOwner {
public:
    Http2Relay(ReplayShared& shared, Http2RelayOwner& owner, const FlowTuple& flow)
        : shared_(shared), owner_(owner), flow_(flow) {}

    // The calls of Http2Sink, for streams of this mirror. fields: as the mirror shall see them.
    void head(std::uint32_t stream, std::span<const HeaderField> fields, const Choice& choice);
    void bytes(std::uint32_t stream, umbra_ledger_row& row, std::size_t count);
    void data(std::uint32_t stream, Bytes data);
    void trailers(std::uint32_t stream, std::span<const HeaderField> fields);
    void end(std::uint32_t stream);
    void reset(std::uint32_t stream, std::uint32_t code, Reason reason);
    // The flow is over: what the client did not end is dropped, the rest still settled.
    void close(Reason reason);
    void drop_all(Reason reason);
    // Every stream is settled.
    bool empty() const { return streams_.empty(); }

private:
    struct Lost {
        umbra_ledger_row* row;
        Reason reason;
    };
    using Streams = std::map<std::uint32_t, std::unique_ptr<Http2Stream>>;
    using Order = std::map<std::uint32_t, Http2Stream*>;

    void channel_changed(Http2Channel& channel) override;
    void channel_ticked(Http2Channel& channel) override;
    bool channel_idle(const Http2Channel&) const override { return streams_.empty(); }

    std::optional<Reason> refusal(const Choice& choice) const;
    Http2Stream* find(std::uint32_t stream);
    bool store(Http2Stream& stream, Bytes bytes, bool (Http2Stream::*append)(Bytes));
    Http2Stream& largest(Http2Stream& incoming, std::size_t more);
    void stored(Http2Stream& stream);
    void become_ready(Http2Stream& stream);
    void settle(Http2Stream& stream, std::uint32_t code);
    void lose(Http2Stream& stream, Reason reason, std::uint32_t code = NGHTTP2_CANCEL);
    void lose_waiting(Reason reason);
    void forget(Http2Stream& stream, std::uint32_t code);

    void work();
    void pump();
    bool prepare(Http2Stream& next);
    bool sweep();
    void judge(Http2Channel& channel);
    bool judge(Http2Channel& channel, Http2Stream& stream);
    bool in_use(const Http2Channel& channel) const;
    void give_up(std::unique_ptr<Http2Channel> channel);
    bool tick_streams(const Http2Channel& channel);
    bool tick_waiting();

    ReplayShared& shared_;
    Http2RelayOwner& owner_;
    const FlowTuple flow_;
    std::size_t queued_ = 0;
    Streams streams_;                               // not settled
    Order held_;                                    // of those: small and unfinished, not sent yet
    Order ready_;                                   // of those: to be begun as soon as the mirror lets them
    std::unordered_map<std::uint32_t, Lost> lost_;  // dropped, but the client still sends
    std::unique_ptr<Http2Channel> current_;         // takes new streams
    std::vector<std::unique_ptr<Http2Channel>> draining_;
    TargetRef latest_target_;
    TimeNs used_at_ = 0;  // a stream came or went
    bool closed_ = false;
};

}  // namespace umbra
