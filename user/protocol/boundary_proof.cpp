#include "protocol/boundary_proof.h"

#include "protocol/detect.h"

namespace umbra {

BoundaryProof::Verdict BoundaryProof::server_payload(Bytes prefix) {
    const std::string_view text = as_text(prefix);
    if (begins_switch(text)) return Verdict::hopeless;
    const bool first_of_turn = client_turn_;
    client_turn_ = false;
    if (begins_response(text)) {
        blind_turns_ = 0;
        proven_ = proven_ || begins_final_response(text);
    } else if (first_of_turn && ++blind_turns_ >= kMaxBlindTurns) {
        return Verdict::hopeless;
    }
    return proven_ ? Verdict::proven : Verdict::unproven;
}

}  // namespace umbra
