#include "terminator/plan_message.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>
#include <string>

#include "rules/plan_json.h"
#include "terminator/descriptor_message.h"
#include "terminator/sealed_text.h"

namespace umbra {

namespace {

Error os_failure(const std::string& attempt) { return {ErrorCode::failure, attempt + ": " + std::strerror(errno), {}}; }

std::string encode(const PlanMessage& message) {
    nlohmann::json document{{"generation", message.generation}, {"slots", message.slots}};
    document["plan"] = rules::plan_to_json(message.plan);
    return document.dump();
}

Result<PlanMessage> decode(std::string_view text) {
    const Error malformed{ErrorCode::failure, "read plan from the loader: malformed message", {}};
    const auto document = nlohmann::json::parse(text, nullptr, false);
    if (!document.is_object() || !document.contains("plan") || !document["plan"].is_string()) return malformed;
    const auto& slots = document.value("slots", nlohmann::json::array());
    const auto& generation = document.value("generation", nlohmann::json());
    if (!generation.is_number_unsigned() || !slots.is_array()) return malformed;
    auto plan = rules::plan_from_json(document["plan"].get_ref<const std::string&>());
    if (!plan) return plan.error();
    PlanMessage message{generation.get<std::uint64_t>(), std::move(*plan), {}};
    for (const auto& slot : slots) {
        if (!slot.is_number_unsigned()) return malformed;
        message.slots.push_back(slot.get<std::uint32_t>());
    }
    if (message.slots.size() != rules::slot_keys(message.plan).size()) return malformed;
    return message;
}

Result<UniqueFd> receive_descriptor(int channel) {
    auto message = receive_message(channel, "plan from the loader");
    if (!message) return message.error();
    if (message->text.empty()) return Error{ErrorCode::failure, "", {}};
    if (message->fds.size() != 1)
        return Error{ErrorCode::failure, "receive plan from the loader: no descriptor in the message", {}};
    return std::move(message->fds.front());
}

}  // namespace

Result<void> send_plan(int channel, const PlanMessage& message) {
    const auto file = seal_text(encode(message), "plan");
    if (!file) return file.error();
    return send_message(channel, "P", {file->get()}, "plan to the terminator");
}

Result<PlanMessage> receive_plan(int channel) {
    const auto file = receive_descriptor(channel);
    if (!file) return file.error();
    const auto text = MappedText::map(file->get(), kMaxPlanBytes, "plan from the loader");
    return text ? decode(text->text()) : Result<PlanMessage>(text.error());
}

Result<void> acknowledge_plan(int channel) {
    const char byte = 1;
    if (::send(channel, &byte, 1, MSG_NOSIGNAL) != 1) return os_failure("acknowledge the plan");
    return {};
}

}  // namespace umbra
