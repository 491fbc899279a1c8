#include "terminator/plan_message.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>
#include <string>

#include "rules/plan_json.h"
#include "terminator/descriptor_message.h"

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

Result<UniqueFd> sealed_copy(const std::string& text) {
    UniqueFd file(::memfd_create("umbra-plan", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    if (!file) return os_failure("create memory for the plan");
    for (std::size_t done = 0; done < text.size();) {
        const auto written = ::write(file.get(), text.data() + done, text.size() - done);
        if (written < 0) return os_failure("write the plan");
        done += static_cast<std::size_t>(written);
    }
    if (::fcntl(file.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) != 0)
        return os_failure("seal the plan");
    return file;
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
    const auto file = sealed_copy(encode(message));
    if (!file) return file.error();
    return send_message(channel, "P", {file->get()}, "plan to the terminator");
}

Result<PlanMessage> receive_plan(int channel) {
    const auto file = receive_descriptor(channel);
    if (!file) return file.error();
    struct stat status {};
    if (::fstat(file->get(), &status) != 0 || status.st_size <= 0 ||
        static_cast<std::uint64_t>(status.st_size) > kMaxPlanBytes)
        return Error{ErrorCode::failure, "receive plan from the loader: impossible size", {}};
    const auto size = static_cast<std::size_t>(status.st_size);
    void* memory = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file->get(), 0);
    if (memory == MAP_FAILED) return os_failure("map plan from the loader");
    auto message = decode({static_cast<const char*>(memory), size});
    ::munmap(memory, size);
    return message;
}

Result<void> acknowledge_plan(int channel) {
    const char byte = 1;
    if (::send(channel, &byte, 1, MSG_NOSIGNAL) != 1) return os_failure("acknowledge the plan");
    return {};
}

}  // namespace umbra
