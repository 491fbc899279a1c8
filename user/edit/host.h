// Host: which authority the mirror reads, wherever a request names one.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "rules/mirror_settings.h"

namespace umbra::edit {

// "-shadow" behind the name, before the port: httpbin:8080 -> httpbin-shadow:8080. Never a second one. IP addresses
// stay as they are (no name to lengthen); so does what is no authority.
std::string shadow_authority(std::string_view authority);

// Whether the policy can change an authority at all.
bool edits_host(const rules::MirrorSettings& settings);
// Nothing: it stays.
std::optional<std::string> edit_authority(std::string_view authority, const rules::MirrorSettings& settings);
// The target of an HTTP/1 request with its authority edited: in absolute form, and of CONNECT. Nothing: it stays.
std::optional<std::string> edit_target_authority(std::string_view method, std::string_view target,
                                                 const rules::MirrorSettings& settings);

}  // namespace umbra::edit
