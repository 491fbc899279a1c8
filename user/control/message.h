// What travels in the frames: a request is a JSON object with "verb" and the verb's fields; a Response says how it
// went. Reading never throws: what is no message is an Error.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/result.h"

namespace umbra::control {

using Json = nlohmann::ordered_json;

// ok: result is the answer. Else error, hint and code say why not; result may hold details.
struct Response {
    bool ok = true;
    ErrorCode code = ErrorCode::failure;  // of a failure
    std::string error;
    std::string hint;
    Json result = Json::object();

    static Response success(Json result) { return {true, ErrorCode::failure, {}, {}, std::move(result)}; }
    static Response failure(Error error) {
        return {false, error.code, std::move(error.message), std::move(error.hint), Json::object()};
    }
};

std::string encode(const Json& message);
std::string encode(const Response& response);

Result<Json> decode_request(std::string_view text);
Result<Response> decode_response(std::string_view text);

}  // namespace umbra::control
