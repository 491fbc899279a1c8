// What a mirror's settings say that a mirror without a policy would not do, in words. Sampling stands elsewhere.
#pragma once

#include <string>

#include "rules/mirror_settings.h"

namespace umbra::rules {

// "host shadow; set x-a; TLS to v2.example", or empty. Values of headers are left out: they may be secrets.
std::string print_settings(const MirrorSettings& settings);

}  // namespace umbra::rules
