#include "terminator/tls_check.h"

#include <spdlog/spdlog.h>

#include "replay/tls_context.h"

namespace umbra {

void report_unusable_tls(const rules::Plan& plan) {
    for (const auto& rule : plan.rules) {
        for (std::size_t i = 0; i < rule.mirrors.size(); ++i) {
            const auto& settings = rule.mirrors[i].settings;
            if (!settings.tls.on) continue;
            if (const auto context = TlsContext::make(settings.tls); !context)
                spdlog::error("mirror {} gets nothing: {}", rule.slot_key(i), context.error().message);
        }
    }
}

}  // namespace umbra
