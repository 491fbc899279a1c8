#include "agent/documents_field.h"

namespace umbra::agent {

namespace {

using control::Json;

Error bad_request(const std::string& cause) { return {ErrorCode::usage, "read, request: " + cause}; }

const std::string* text_field(const Json& object, const char* name) {
    const auto found = object.find(name);
    return found != object.end() && found->is_string() ? found->get_ptr<const std::string*>() : nullptr;
}

}  // namespace

Result<std::vector<rules::SourceText>> documents_of(const Json& request) {
    const auto documents = request.find("documents");
    if (documents == request.end() || !documents->is_array()) return bad_request("'documents' is no list");
    std::vector<rules::SourceText> sources;
    for (const Json& document : *documents) {
        const auto* name = text_field(document, "name");
        const auto* text = text_field(document, "text");
        if (!document.is_object() || document.size() != 2 || !name || !text)
            return bad_request("a document must have 'name' and 'text', both text, and nothing else");
        sources.push_back({*name, *text});
    }
    return sources;
}

}  // namespace umbra::agent
