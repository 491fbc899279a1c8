#include "base/ledger.h"

namespace umbra {

namespace {
constexpr const char* kNames[] = {
#define UMBRA_REASON_NAME(name, text) #name,
    UMBRA_REASONS(UMBRA_REASON_NAME)
#undef UMBRA_REASON_NAME
};
constexpr const char* kTexts[] = {
#define UMBRA_REASON_TEXT(name, text) text,
    UMBRA_REASONS(UMBRA_REASON_TEXT)
#undef UMBRA_REASON_TEXT
};
}  // namespace

const char* reason_name(Reason reason) { return kNames[static_cast<unsigned>(reason)]; }
const char* reason_text(Reason reason) { return kTexts[static_cast<unsigned>(reason)]; }

}  // namespace umbra
