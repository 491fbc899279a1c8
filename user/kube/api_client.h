// ApiClient: requests to the API server by libcurl's multi interface, all in one thread; it waits in wait() alone.
// HTTP/2 where the server offers it, so that all watches share a connection. No redirects, no cookies, bounded bodies.
#pragma once

#include <poll.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "kube/api_answer.h"
#include "kube/cluster_config.h"

namespace umbra::kube {

inline constexpr std::size_t kMaxBodyBytes = 64u << 20;
inline constexpr std::size_t kMaxLineBytes = 8u << 20;

struct ApiRequest {
    std::string method = "GET";
    std::string path;  // with the query
    std::string body, content_type;
    bool stream = false;  // an answer 200 is handed on line by line
    bool fresh_connection = false;
    TimeNs patience = 60 * kSecond;  // for the whole answer; of a stream, between bytes
    std::size_t most_body = kMaxBodyBytes;
    std::size_t most_line = kMaxLineBytes;
};

// on_open and on_line must not call the client; on_done may.
struct ApiReceiver {
    std::function<void()> on_open;                  // a stream was answered with 200
    std::function<bool(std::string_view)> on_line;  // false: end the stream
    std::function<void(const ApiAnswer&)> on_done;  // always the last, unless the request is cancelled
};

class ApiClient {
public:
    using RequestId = std::uint64_t;

    static Result<std::unique_ptr<ApiClient>> make(ClusterConfig config);
    ~ApiClient();
    ApiClient(const ApiClient&) = delete;
    ApiClient& operator=(const ApiClient&) = delete;

    RequestId start(ApiRequest request, ApiReceiver receiver);
    void cancel(RequestId id);  // nothing is called any more

    // Sleeps until there is something to do, one of the descriptors is ready, or the time is over; fills revents.
    void wait(std::vector<pollfd>& descriptors, TimeNs patience);
    // Moves bytes and calls receivers.
    void step(TimeNs now);

    std::uint64_t requests() const { return requests_; }
    std::uint64_t failures() const { return failures_; }  // no answer, or one of 500 and above
    std::size_t under_way() const { return transfers_.size(); }

private:
    class Transfer;
    struct Multi;

    explicit ApiClient(ClusterConfig config);
    void finish(RequestId id, ApiAnswer answer);
    void collect_finished();
    void end_silent(TimeNs now);

    ClusterConfig config_;
    std::unique_ptr<Multi> multi_;
    std::map<RequestId, std::unique_ptr<Transfer>> transfers_;
    std::vector<std::pair<RequestId, ApiAnswer>> stillborn_;  // that could not be started; told in step()
    RequestId last_id_ = 0;
    std::uint64_t requests_ = 0, failures_ = 0;
};

}  // namespace umbra::kube
