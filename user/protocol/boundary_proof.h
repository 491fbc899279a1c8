// BoundaryProof: while a flow's bytes are skipped, watches for the point where a request must begin: the server has
// acknowledged all that the client sent and begun a final response. Gives up on flows that show no HTTP at all.
#pragma once

#include <cstdint>

#include "base/bytes.h"

namespace umbra {

class BoundaryProof {
public:
    static constexpr std::uint8_t kMaxBlindTurns = 16;

    enum class Verdict : std::uint8_t { unproven, proven, hopeless };

    void reset() { proven_ = false; }
    void skipped_data() {
        proven_ = false;
        client_turn_ = true;
    }
    Verdict server_payload(Bytes prefix);
    // The next data begins a request.
    bool proven() const { return proven_; }

private:
    bool proven_ = false;
    bool client_turn_ = false;      // data came since the server's last payload
    std::uint8_t blind_turns_ = 0;  // turns that the server began with something else than a status line
};

}  // namespace umbra
