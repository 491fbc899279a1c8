// The feed between controller and loader: the input is a frame's text, read as each of its messages. Objects go into a
// set as in the loader: one that is wrong is kept out, the others are in force, in whatever order they came.
#include "kube/feed_frame.h"

#include "fuzz/property.h"
#include "rules/live_set.h"
#include "rules/plan_print.h"

namespace umbra::fuzz {
namespace {

using kube::Json;

std::string text_of(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

void check_set(const kube::Changes& changes) {
    rules::LiveSet set, twice;
    for (const Json& object : changes.objects) set.put(object);
    for (int i = 0; i < 2; ++i) {
        for (const Json& object : changes.objects) twice.put(object);
    }
    require(set.size() <= changes.objects.size(), "an object is kept once at most");
    require(set.size() == twice.size(), "an object that comes again replaces itself");
    const auto outcome = set.compile({}, {}), again = set.compile({}, {});
    require(rules::print_plan(outcome.plan) == rules::print_plan(again.plan), "compiling is deterministic");
    require(outcome.errors.empty() || outcome.plan.rules.empty(), "with an error there is no plan");
    set.mark();
    for (const Json& object : changes.objects) set.put(object);
    const auto size = set.size();
    set.sweep();
    require(set.size() == size, "what came again is not swept");
    set.mark();
    set.sweep();
    require(set.size() == 0, "what did not come again is");
}

void check_changes(std::string_view text) {
    const auto changes = kube::changes_in(text);
    if (!changes) {
        require(!changes.error().message.empty(), "a refusal says why");
        return;
    }
    const Json json = to_json(*changes);
    const auto again = kube::changes_from(json);
    require(again && text_of(to_json(*again)) == text_of(json), "changes survive the feed");
    check_set(*changes);
}

template <class Message>
void check_message(const Json& json, Result<Message> (*read)(const Json&)) {
    const auto message = read(json);
    if (!message) return;
    const auto again = read(to_json(*message));
    require(again && *again == *message, "a message survives the feed");
}

}  // namespace
}  // namespace umbra::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace umbra;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    fuzz::check_changes(text);
    const auto json = fuzz::Json::parse(text, nullptr, false);
    if (json.is_discarded()) return 0;
    fuzz::check_message(json, &kube::demand_from);
    fuzz::check_message(json, &kube::report_from);
    return 0;
}
