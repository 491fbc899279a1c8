#include "control/message.h"

#include "control/frame.h"

namespace umbra::control {

namespace {

// Refuses deep nesting before the document is built.
bool depth_allowed(int depth, Json::parse_event_t, Json&) { return depth <= kMaxMessageDepth; }

Json parse(std::string_view text) { return Json::parse(text, depth_allowed, false); }

std::string text_of(const Json& object, const char* name) {
    const auto found = object.find(name);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

}  // namespace

std::string encode(const Json& message) { return message.dump(-1, ' ', false, Json::error_handler_t::replace); }

std::string encode(const Response& response) {
    Json message{{"ok", response.ok}, {"code", response.ok ? 0 : static_cast<int>(response.code)}};
    if (!response.ok) {
        message["error"] = response.error;
        message["hint"] = response.hint;
    }
    message["result"] = response.result;
    return encode(message);
}

Result<Json> decode_request(std::string_view text) {
    auto request = parse(text);
    if (!request.is_object()) {
        return Error{ErrorCode::usage, "read, request: not a JSON object",
                     "one frame is a length of four bytes in network order and that many bytes of JSON"};
    }
    const auto verb = request.find("verb");
    if (verb == request.end() || !verb->is_string())
        return Error{ErrorCode::usage, "read, request: it has no field 'verb'"};
    return request;
}

Result<Response> decode_response(std::string_view text) {
    const auto message = parse(text);
    const Error unreadable{ErrorCode::failure, "read, response of the agent: not understood",
                           "is the agent of another version? see `umbra version`"};
    if (!message.is_object()) return unreadable;
    const auto ok = message.find("ok");
    const auto code = message.find("code");
    if (ok == message.end() || !ok->is_boolean() || code == message.end() || !code->is_number_integer())
        return unreadable;
    Response response;
    response.ok = ok->get<bool>();
    const auto number = code->get<std::int64_t>();
    if (number >= 1 && number <= 5) response.code = static_cast<ErrorCode>(number);
    response.error = text_of(message, "error");
    response.hint = text_of(message, "hint");
    if (const auto result = message.find("result"); result != message.end()) response.result = *result;
    return response;
}

}  // namespace umbra::control
