// The control socket: the input is the text of a frame, read as a request and as a response. Nothing throws, what was
// read can be sent on, and documents are loaded as they would be from files.
#include "agent/documents_field.h"
#include "control/frame.h"
#include "control/message.h"
#include "fuzz/property.h"
#include "rules/load.h"

namespace umbra::fuzz {
namespace {

void check_length(std::string_view text) {
    control::FrameHeader header{};
    for (std::size_t i = 0; i < header.size() && i < text.size(); ++i) header[i] = static_cast<std::uint8_t>(text[i]);
    require(control::frame_header(control::frame_length(header)) == header, "a frame's length survives its header");
}

void check_documents(const control::Json& request) {
    const auto documents = agent::documents_of(request);
    if (!documents) {
        require(documents.error().code == ErrorCode::usage, "a wrong field is the client's fault");
        return;
    }
    require(documents->size() == request["documents"].size(), "every document is read or all are refused");
    const auto outcome = rules::apply_sources({}, *documents);
    require(outcome.ok || outcome.plan.rules.empty(), "what is refused changes nothing");
}

void check_request(std::string_view text) {
    const auto request = control::decode_request(text);
    if (!request) {
        require(!request.error().message.empty(), "a refusal says why");
        return;
    }
    require((*request)["verb"].is_string(), "a request has a verb");
    const std::string sent = control::encode(*request);
    const auto again = control::decode_request(sent);
    require(again && control::encode(*again) == sent, "a request survives the socket");
    check_documents(*request);
}

void check_response(std::string_view text) {
    const auto response = control::decode_response(text);
    if (!response) return;
    const std::string sent = control::encode(*response);
    const auto again = control::decode_response(sent);
    require(again && control::encode(*again) == sent, "a response survives the socket");
}

}  // namespace
}  // namespace umbra::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    umbra::fuzz::check_length(text);
    umbra::fuzz::check_request(text);
    umbra::fuzz::check_response(text);
    return 0;
}
