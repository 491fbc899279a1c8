// Decoding and checking of MirrorPolicy documents.
#pragma once

#include "rules/field_reader.h"
#include "rules/mirror_policy.h"

namespace umbra::rules {

MirrorPolicy decode_mirror_policy(const DecodeContext& context, const Node& document);

}  // namespace umbra::rules
