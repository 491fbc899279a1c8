#include "replay/breaker.h"

#include <algorithm>

namespace umbra {

bool Breaker::allow(TimeNs now) {
    if (!open()) return true;
    if (probing_ || now < retry_at_) return false;
    probing_ = true;
    return true;
}

void Breaker::succeeded() {
    failures_ = 0;
    pause_ = 0;
    probing_ = false;
}

void Breaker::failed(TimeNs now) {
    const bool was_probe = probing_;
    probing_ = false;
    if (!open()) ++failures_;
    if (!open() || (retry_at_ > now && !was_probe)) return;
    pause_ = pause_ == 0 ? limits_.breaker_first_pause : std::min(pause_ * 2, limits_.breaker_longest_pause);
    retry_at_ = now + pause_;
}

}  // namespace umbra
