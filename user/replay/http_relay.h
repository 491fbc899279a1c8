// HttpRelay: sends a flow's requests to the mirror one after the other, each when the response before it was read,
// and settles them in the ledger. A request is mirrored when v2 answered it completely; what fails once is not tried
// again. Sends the client's own bytes, or an edited head before its body. A request up to the hold size is sent only
// when it is whole; a larger one streams, and if it must be given up half-way its connection is reset.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "protocol/message_sink.h"
#include "replay/mirror_link.h"
#include "replay/request_queue.h"
#include "wire/http1_response.h"

namespace umbra {

class HttpRelay {
public:
    enum class Upgrade : std::uint8_t { none, waiting, accepted, refused };

    HttpRelay(ReplayShared& shared, MirrorLink& link) : shared_(shared), link_(link) {}

    void head(const RequestHead& head, const Choice& choice);
    void bytes(Bytes bytes);
    void end();
    void abort(Reason reason);
    void drop_all(Reason reason);

    // Goes on wherever it can.
    void pump();
    void readable();
    void tick();
    bool empty() const { return requests_.empty(); }
    bool idle() const { return requests_.empty() || !requests_.front().started; }

    // Of the latest request that asked for another protocol.
    Upgrade upgrade() const { return upgrade_; }
    Reason upgrade_refusal() const { return upgrade_refusal_; }
    umbra_ledger_row* upgrade_row() const { return upgrade_row_; }
    Target* upgrade_target() const { return upgrade_target_.get(); }

private:
    struct Refused {
        umbra_ledger_row* row;
        Reason reason;
    };
    enum class Start : std::uint8_t { started, waits, lost };

    bool ready(QueuedRequest& request);
    void accept(const Choice& choice, const RequestHead& head);
    void edit_head(QueuedRequest& request, const RequestHead& head);
    void refuse_incoming(umbra_ledger_row& row, Reason reason);
    Bytes without_edited_head(QueuedRequest& request, Bytes& bytes);
    void pass_on(Bytes first, Bytes second);
    void store(Bytes bytes);
    void taken_off(QueuedRequest& request, std::size_t count);
    Start start_front();
    bool send_front();
    void count_response();
    void settle_front();
    void lose_front(Reason reason);
    void lose_back(Reason reason);
    void lose_ready(Reason reason);
    void count_lost(const QueuedRequest& request, Reason reason);
    bool take_response(Bytes bytes);
    bool answer_ended(bool upgraded, bool more_bytes);
    void connection_ended(bool reset);

    ReplayShared& shared_;
    MirrorLink& link_;
    RequestQueue requests_;
    TargetRef latest_target_;
    wire::ResponseFramer framer_;
    std::optional<Refused> refused_;  // the rest of the request being received is dropped
    bool receiving_ = false;          // requests_.back() is being received
    Upgrade upgrade_ = Upgrade::none;
    Reason upgrade_refusal_ = Reason::upgrade_refused;
    umbra_ledger_row* upgrade_row_ = nullptr;
    TargetRef upgrade_target_;
    std::string edited_head_;  // of the request being received, until it is passed on
};

}  // namespace umbra
