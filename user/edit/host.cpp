#include "edit/host.h"

#include <algorithm>

#include "edit/fields.h"
#include "net/ip_address.h"

namespace umbra::edit {

namespace {

constexpr std::string_view kSuffix = "-shadow";

bool is_alphanumeric(char c) {
    const char lower = static_cast<char>(c | 0x20);
    return (c >= '0' && c <= '9') || (lower >= 'a' && lower <= 'z');
}

// Characters of a host and port that cannot end the authority of a target, nor a field.
bool is_authority(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
        return is_alphanumeric(c) || std::string_view("-._~%:[]").find(c) != std::string_view::npos;
    });
}

struct Range {
    std::size_t begin = 0;
    std::size_t size = 0;
};

std::optional<Range> authority_of_target(std::string_view method, std::string_view target) {
    if (method == "CONNECT") return Range{0, target.size()};
    const std::size_t colon = target.find("://");
    if (colon == 0 || colon == target.npos) return std::nullopt;
    const std::string_view scheme = target.substr(0, colon);
    const bool named = std::all_of(scheme.begin(), scheme.end(),
                                   [](char c) { return is_alphanumeric(c) || c == '+' || c == '-' || c == '.'; });
    if (!named) return std::nullopt;
    const std::size_t begin = colon + 3;
    return Range{begin, std::min(target.find_first_of("/?#", begin), target.size()) - begin};
}

bool ends_with_suffix(std::string_view name) {
    return name.size() >= kSuffix.size() && same_name(name.substr(name.size() - kSuffix.size()), kSuffix);
}

}  // namespace

std::string shadow_authority(std::string_view authority) {
    const std::string same(authority);
    const std::size_t at = authority.rfind('@');
    const std::size_t begin = at == authority.npos ? 0 : at + 1;
    std::string_view name = authority.substr(begin);
    if (name.substr(0, 1) == "[") return same;
    const std::size_t colon = name.find(':');
    if (colon != name.npos && name.find(':', colon + 1) != name.npos) return same;
    name = name.substr(0, colon);
    if (name.ends_with('.')) name.remove_suffix(1);
    if (name.empty() || ends_with_suffix(name) || IpAddress::parse(name)) return same;
    return std::string(same).insert(begin + name.size(), kSuffix);
}

bool edits_host(const rules::MirrorSettings& settings) {
    if (settings.host == rules::HostPolicy::literal) return is_authority(settings.host_literal);
    return settings.host == rules::HostPolicy::shadow;
}

std::optional<std::string> edit_authority(std::string_view authority, const rules::MirrorSettings& settings) {
    if (!edits_host(settings)) return std::nullopt;
    if (settings.host == rules::HostPolicy::literal) return settings.host_literal;
    return shadow_authority(authority);
}

std::optional<std::string> edit_target_authority(std::string_view method, std::string_view target,
                                                 const rules::MirrorSettings& settings) {
    if (!edits_host(settings)) return std::nullopt;
    const auto range = authority_of_target(method, target);
    if (!range || range->size == 0) return std::nullopt;
    const auto edited = edit_authority(target.substr(range->begin, range->size), settings);
    return std::string(target).replace(range->begin, range->size, *edited);
}

}  // namespace umbra::edit
