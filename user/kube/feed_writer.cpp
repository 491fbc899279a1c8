#include "kube/feed_writer.h"

#include "control/frame.h"

namespace umbra::kube {

std::string changes_frame(const Picture::Part& part, bool reset, bool synced, const Json& health) {
    Json deleted = Json::array();
    for (const ObjectName& name : part.deleted)
        deleted.push_back({{"kind", name.kind}, {"namespace", name.ns}, {"name", name.name}});
    std::string body = R"({"changes":{"reset":)";
    body += reset ? "true" : "false";
    body += R"(,"synced":)";
    body += synced ? "true" : "false";
    body += R"(,"objects":[)";
    for (std::size_t i = 0; i < part.objects.size(); ++i) {
        if (i != 0) body += ',';
        body += part.objects[i];
    }
    body += R"(],"deleted":)" + control::encode(deleted) + R"(,"health":)" + control::encode(health) + "}}";
    const auto header = control::frame_header(body.size());
    return std::string(header.begin(), header.end()) + body;
}

}  // namespace umbra::kube
