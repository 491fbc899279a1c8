#include "cli/install.h"

#include <algorithm>
#include <cctype>

#include "rules/host_name.h"

namespace umbra::cli {

namespace {

constexpr std::string_view kDefaultNamespace = "umbra-system";
constexpr std::string_view kDefaultImage = "umbra:" UMBRA_VERSION;
constexpr std::string_view kTwoCapabilities =
    "          allowPrivilegeEscalation: false\n"
    "          capabilities: {drop: [ALL], add: [BPF, NET_ADMIN]}\n";

Error usage(std::string message, std::string hint) { return {ErrorCode::usage, std::move(message), std::move(hint)}; }

// The namespace is Umbra's own: it is labelled, and removed with it.
Result<void> check_namespace(const std::string& ns) {
    if (!rules::is_dns_label(ns))
        return usage("use namespace '" + ns + "': it must be a DNS label", "lower-case letters, digits and '-'");
    if (ns == "default" || ns.starts_with("kube-"))
        return usage("use namespace '" + ns + "': it is not for Umbra alone",
                     "the namespace allows privileged pods and is removed by umbra uninstall: name one of its own");
    return {};
}

Result<void> check_image(const std::string& image) {
    const bool plain = std::ranges::all_of(image, [](unsigned char c) {
        return c < 0x80 &&
               (std::isalnum(c) || std::string_view("._/:@-").find(static_cast<char>(c)) != std::string::npos);
    });
    const auto name = image.substr(image.find_last_of('/') + 1);
    const auto mark = name.find_first_of(":@");
    if (!plain || mark == std::string::npos || mark == 0 || mark + 1 == name.size() || name.ends_with(":latest"))
        return usage("use image '" + image + "': it names no version", "REGISTRY/umbra:" UMBRA_VERSION ", or a digest");
    return {};
}

// Manifests without the text to replace are not those that this was written for.
Result<void> replace_all(std::string& text, std::string_view old, std::string_view by) {
    std::size_t at = text.find(old);
    if (at == std::string::npos)
        return Error{ErrorCode::failure, "change the manifests: '" + std::string(old) + "' is not in them"};
    for (; at != std::string::npos; at = text.find(old, at + by.size())) text.replace(at, old.size(), by);
    return {};
}

}  // namespace

Result<std::string> agent_manifests(const InstallOptions& options) {
    if (auto valid = check_namespace(options.ns); !valid) return valid.error();
    if (!options.image.empty()) {
        if (auto valid = check_image(options.image); !valid) return valid.error();
    }
    std::string text(Manifests::kBase);
    Result<void> done;
    if (options.privileged) done = replace_all(text, kTwoCapabilities, "          privileged: true\n");
    if (done && options.pod_monitor) {
        done = replace_all(text, "--listen=127.0.0.1:9464", "--listen=0.0.0.0:9464");
        text += Manifests::kPodMonitor;
    }
    if (done && !options.image.empty())
        done = replace_all(text, "image: " + std::string(kDefaultImage) + "\n", "image: " + options.image + "\n");
    if (done && options.ns != kDefaultNamespace) done = replace_all(text, kDefaultNamespace, options.ns);
    if (!done) return done.error();
    return text;
}

}  // namespace umbra::cli
