#include "replay/router.h"

namespace umbra {

const std::shared_ptr<const rules::MirrorSettings>& Choice::no_settings() {
    static const auto settings = std::make_shared<const rules::MirrorSettings>();
    return settings;
}

}  // namespace umbra
