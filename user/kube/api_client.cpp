#include "kube/api_client.h"

#include <algorithm>
#include <utility>

#include "kube/transfer.h"

namespace umbra::kube {

struct ApiClient::Multi {
    struct Free {
        void operator()(CURLM* multi) const { curl_multi_cleanup(multi); }
    };
    std::unique_ptr<CURLM, Free> handle;
};

Result<std::unique_ptr<ApiClient>> ApiClient::make(ClusterConfig config) {
    static const CURLcode ready = curl_global_init(CURL_GLOBAL_DEFAULT);
    std::unique_ptr<ApiClient> client(new ApiClient(std::move(config)));
    client->multi_->handle.reset(curl_multi_init());
    if (ready != CURLE_OK || !client->multi_->handle)
        return Error{ErrorCode::failure, "start, client of the Kubernetes API: libcurl is not ready"};
    curl_multi_setopt(client->multi_->handle.get(), CURLMOPT_PIPELINING, CURLPIPE_MULTIPLEX);
    return client;
}

ApiClient::ApiClient(ClusterConfig config) : config_(std::move(config)), multi_(std::make_unique<Multi>()) {}

ApiClient::~ApiClient() {
    for (auto& [id, transfer] : transfers_) curl_multi_remove_handle(multi_->handle.get(), transfer->handle());
    transfers_.clear();
}

ApiClient::RequestId ApiClient::start(ApiRequest request, ApiReceiver receiver) {
    const RequestId id = ++last_id_;
    ++requests_;
    auto transfer = std::make_unique<Transfer>(std::move(request), std::move(receiver));
    auto prepared = transfer->prepare(config_, id);
    if (prepared && curl_multi_add_handle(multi_->handle.get(), transfer->handle()) != CURLM_OK)
        prepared = Error{ErrorCode::failure, "start, request: libcurl refused it"};
    if (!prepared) {
        stillborn_.emplace_back(id, ApiAnswer{});
        stillborn_.back().second.failure = prepared.error().message;
    }
    transfers_.emplace(id, std::move(transfer));
    return id;
}

void ApiClient::cancel(RequestId id) {
    const auto found = transfers_.find(id);
    if (found == transfers_.end()) return;
    curl_multi_remove_handle(multi_->handle.get(), found->second->handle());
    transfers_.erase(found);
}

void ApiClient::finish(RequestId id, ApiAnswer answer) {
    const auto found = transfers_.find(id);
    if (found == transfers_.end()) return;
    const auto transfer = std::move(found->second);
    transfers_.erase(found);
    curl_multi_remove_handle(multi_->handle.get(), transfer->handle());
    if (!answer.complete() || answer.status >= 500) ++failures_;
    transfer->receiver().on_done(answer);
}

void ApiClient::collect_finished() {
    std::vector<std::pair<RequestId, ApiAnswer>> ended = std::exchange(stillborn_, {});
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi_->handle.get(), &left)) {
        if (message->msg != CURLMSG_DONE) continue;
        char* mark = nullptr;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &mark);
        const auto id = reinterpret_cast<RequestId>(mark);
        const auto found = transfers_.find(id);
        if (found != transfers_.end()) ended.emplace_back(id, found->second->answer(message->data.result));
    }
    for (auto& [id, answer] : ended) finish(id, std::move(answer));
}

void ApiClient::end_silent(TimeNs now) {
    std::vector<RequestId> silent;
    for (auto& [id, transfer] : transfers_) {
        if (transfer->silent_too_long(now)) silent.push_back(id);
    }
    for (const RequestId id : silent) {
        const auto found = transfers_.find(id);
        if (found == transfers_.end()) continue;
        ApiAnswer answer = found->second->answer(CURLE_OPERATION_TIMEDOUT);
        answer.silent = true;
        answer.failure =
            "the server was silent for more than " + std::to_string(found->second->patience() / kSecond) + " s";
        finish(id, std::move(answer));
    }
}

void ApiClient::wait(std::vector<pollfd>& descriptors, TimeNs patience) {
    std::vector<curl_waitfd> waits;
    for (const pollfd& one : descriptors) {
        short events = 0;
        if (one.events & POLLIN) events |= CURL_WAIT_POLLIN;
        if (one.events & POLLOUT) events |= CURL_WAIT_POLLOUT;
        waits.push_back({one.fd, events, 0});
    }
    const auto milliseconds = static_cast<int>(std::min<TimeNs>(patience / kMillisecond + 1, 1000));
    curl_multi_poll(multi_->handle.get(), waits.data(), static_cast<unsigned>(waits.size()), milliseconds, nullptr);
    for (std::size_t i = 0; i < waits.size(); ++i) descriptors[i].revents = waits[i].revents;
}

void ApiClient::step(TimeNs now) {
    int running = 0;
    curl_multi_perform(multi_->handle.get(), &running);
    collect_finished();
    end_silent(now);
}

}  // namespace umbra::kube
