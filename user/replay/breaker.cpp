#include "replay/breaker.h"

#include <algorithm>

namespace umbra {

Breaker::Permission Breaker::allow(TimeNs now) {
    if (limits_.breaker_failures.forced()) return {};
    if (!open()) return {true, false};
    if (probing_ || now < retry_at_) return {};
    probing_ = true;
    return {true, true};
}

void Breaker::succeeded() {
    failures_ = 0;
    pause_ = 0;
    probing_ = false;
}

// An attempt that began before the breaker opened says nothing new once it is open.
void Breaker::failed(TimeNs now, Permission permission) {
    const bool was_open = open();
    if (permission.probe) probing_ = false;
    if (!was_open) ++failures_;
    if (!open() || (was_open && !permission.probe)) return;
    pause_ = pause_ == 0 ? limits_.breaker_first_pause : std::min(pause_ * 2, limits_.breaker_longest_pause);
    retry_at_ = now + pause_;
}

void Breaker::cancelled(Permission permission) {
    if (permission.probe) probing_ = false;
}

}  // namespace umbra
