#include "metrics/pages.h"

namespace umbra::metrics {

namespace {

HttpAnswer metrics_page(const SnapshotPtr& snapshot) {
    HttpAnswer answer;
    answer.type = "text/plain; version=0.0.4; charset=utf-8";
    answer.body = std::shared_ptr<const std::string>(snapshot, &snapshot->exposition);
    return answer;
}

HttpAnswer probe_page(const Probe& probe) { return plain(probe.good ? 200 : 503, probe.reason); }

using Page = HttpAnswer (*)(const SnapshotPtr&);

Page find_page(const std::string& path) {
    if (path == "/metrics") return metrics_page;
    if (path == "/healthz") return [](const SnapshotPtr& snapshot) { return probe_page(snapshot->health); };
    if (path == "/readyz") return [](const SnapshotPtr& snapshot) { return probe_page(snapshot->readiness); };
    return nullptr;
}

}  // namespace

HttpHandler make_pages(AgentReader& reader) {
    return [&reader](const HttpRequest& request, HttpReply reply) {
        const Page page = find_page(request.path);
        if (!page) return reply(plain(404, "there are /metrics, /healthz and /readyz"));
        if (request.method != "GET" && request.method != "HEAD") return reply(plain(405, "GET or HEAD"));
        reader.read([page, reply = std::move(reply)](const SnapshotPtr& snapshot) { reply(page(snapshot)); });
    };
}

}  // namespace umbra::metrics
