#include "kube/transfer.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <utility>

namespace umbra::kube {

namespace {

constexpr long kConnectMs = 10'000;
constexpr long kKeepIdleSeconds = 15;
constexpr long kKeepIntervalSeconds = 5;
constexpr unsigned kUnansweredMs = 30'000;  // bytes that the peer does not acknowledge end the connection

// A dead peer is found even while bytes wait to be acknowledged, when keep-alive is silent.
int on_socket(void*, curl_socket_t socket, curlsocktype) {
    ::setsockopt(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, &kUnansweredMs, sizeof(kUnansweredMs));
    return CURL_SOCKOPT_OK;
}

curl_blob blob_of(const std::string& pem) { return {const_cast<char*>(pem.data()), pem.size(), CURL_BLOB_COPY}; }

// "https://HOST:PORT/PATH" -> HOST:PORT, the port always there.
std::string authority(const std::string& server) {
    const auto begin = server.find("://") + 3;
    const auto end = server.find('/', begin);
    std::string host = server.substr(begin, end == std::string::npos ? end : end - begin);
    const auto colon = host.rfind(':');
    const bool has_port = colon != std::string::npos && host.find(']', colon) == std::string::npos;
    return has_port ? host : host + (server.starts_with("https:") ? ":443" : ":80");
}

}  // namespace

ApiClient::Transfer::Transfer(ApiRequest request, ApiReceiver receiver)
    : request_(std::move(request)),
      receiver_(std::move(receiver)),
      easy_(curl_easy_init()),
      lines_(request_.most_line) {}

void ApiClient::Transfer::add_header(const std::string& line) {
    curl_slist* grown = curl_slist_append(headers_.get(), line.c_str());
    if (!grown) return;
    static_cast<void>(headers_.release());
    headers_.reset(grown);
}

Result<void> ApiClient::Transfer::prepare(const ClusterConfig& config, RequestId id) {
    if (!easy_) return Error{ErrorCode::failure, "start, request: out of memory"};
    auto token = current_token(config);
    if (!token) return token.error();
    set_basics();
    curl_easy_setopt(handle(), CURLOPT_PRIVATE, reinterpret_cast<void*>(id));
    add_header("Accept: application/json");
    add_header("Expect:");
    if (!token->empty()) add_header("Authorization: Bearer " + *token);
    set_address(config);
    set_trust(config);
    set_body();
    curl_easy_setopt(handle(), CURLOPT_HTTPHEADER, headers_.get());
    return {};
}

void ApiClient::Transfer::set_basics() {
    CURL* easy = handle();
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "umbra/" UMBRA_VERSION);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_2TLS);
    curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, request_.fresh_connection ? 1L : 0L);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, kConnectMs);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, kKeepIdleSeconds);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, kKeepIntervalSeconds);
    curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, on_socket);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, error_.data());
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, this);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, this);
}

// Another name for the certificate: the address is asked for under that name, and the connection goes to the host.
void ApiClient::Transfer::set_address(const ClusterConfig& config) {
    std::string server = config.server;
    if (!config.tls_server_name.empty()) {
        const std::string host = authority(server);
        const std::string named = config.tls_server_name + host.substr(host.rfind(':'));
        const auto begin = server.find("://") + 3;
        const auto path = server.find('/', begin);
        server = server.substr(0, begin) + named + (path == std::string::npos ? "" : server.substr(path));
        connect_to_.reset(curl_slist_append(nullptr, (named + ":" + host).c_str()));
        curl_easy_setopt(handle(), CURLOPT_CONNECT_TO, connect_to_.get());
        add_header("Host: " + host);
    }
    // Waits for a connection to share; without TLS, none tells whether it can be shared.
    curl_easy_setopt(handle(), CURLOPT_PIPEWAIT, server.starts_with("https:") ? 1L : 0L);
    curl_easy_setopt(handle(), CURLOPT_URL, (server + request_.path).c_str());
}

void ApiClient::Transfer::set_trust(const ClusterConfig& config) {
    CURL* easy = handle();
    // The file is read again for every connection, since the kubelet renews it.
    curl_easy_setopt(easy, CURLOPT_CA_CACHE_TIMEOUT, 0L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, config.insecure ? 0L : 1L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, config.insecure ? 0L : 2L);
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2);
    if (!config.ca_file.empty() || !config.ca_pem.empty()) curl_easy_setopt(easy, CURLOPT_CAPATH, nullptr);
    if (!config.ca_file.empty()) curl_easy_setopt(easy, CURLOPT_CAINFO, config.ca_file.c_str());
    if (!config.ca_pem.empty()) {
        curl_blob ca = blob_of(config.ca_pem);
        curl_easy_setopt(easy, CURLOPT_CAINFO_BLOB, &ca);
    }
    if (config.certificate_pem.empty()) return;
    curl_blob certificate = blob_of(config.certificate_pem);
    curl_blob key = blob_of(config.key_pem);
    curl_easy_setopt(easy, CURLOPT_SSLCERT_BLOB, &certificate);
    curl_easy_setopt(easy, CURLOPT_SSLKEY_BLOB, &key);
}

void ApiClient::Transfer::set_body() {
    if (request_.method == "GET") return;
    curl_easy_setopt(handle(), CURLOPT_CUSTOMREQUEST, request_.method.c_str());
    if (request_.body.empty()) return;
    add_header("Content-Type: " + request_.content_type);
    curl_easy_setopt(handle(), CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request_.body.size()));
    curl_easy_setopt(handle(), CURLOPT_POSTFIELDS, request_.body.c_str());
}

long ApiClient::Transfer::status() const {
    long code = 0;
    curl_easy_getinfo(handle(), CURLINFO_RESPONSE_CODE, &code);
    return code;
}

std::size_t ApiClient::Transfer::on_header(char* bytes, std::size_t size, std::size_t count, void* self) {
    auto& transfer = *static_cast<Transfer*>(self);
    transfer.moved_ = true;
    const std::string_view line(bytes, size * count);
    const bool ends = line == "\r\n" || line == "\n";
    if (ends && transfer.request_.stream && transfer.status() == 200 && !std::exchange(transfer.opened_, true))
        transfer.receiver_.on_open();
    return size * count;
}

std::size_t ApiClient::Transfer::on_body(char* bytes, std::size_t size, std::size_t count, void* self) {
    auto& transfer = *static_cast<Transfer*>(self);
    transfer.moved_ = true;
    return transfer.take({bytes, size * count}) ? size * count : 0;
}

bool ApiClient::Transfer::take(std::string_view bytes) {
    if (request_.stream && status() == 200) {
        if (lines_.add(bytes, receiver_.on_line)) return true;
        too_large_ = lines_.too_long();
        cut_ = !too_large_;
        return false;
    }
    too_large_ = body_.size() + bytes.size() > request_.most_body;
    if (!too_large_) body_ += bytes;
    return !too_large_;
}

bool ApiClient::Transfer::silent_too_long(TimeNs now) {
    const bool counts = request_.stream ? std::exchange(moved_, false) : last_byte_ == 0;
    if (counts || last_byte_ == 0) last_byte_ = now;
    return now - last_byte_ > request_.patience;
}

ApiAnswer ApiClient::Transfer::answer(CURLcode code) {
    ApiAnswer answer;
    answer.status = status();
    answer.cut = cut_;
    answer.too_large = too_large_;
    answer.body = std::move(body_);
    curl_off_t seconds = 0;
    if (curl_easy_getinfo(handle(), CURLINFO_RETRY_AFTER, &seconds) == CURLE_OK && seconds > 0)
        answer.retry_after = static_cast<TimeNs>(std::min<curl_off_t>(seconds, 3600)) * kSecond;
    if (too_large_) {
        answer.failure = request_.stream ? "an event above its limit of bytes" : "an answer above its limit of bytes";
    } else if (code != CURLE_OK && !cut_) {
        answer.failure = error_[0] ? error_.data() : curl_easy_strerror(code);
    }
    return answer;
}

}  // namespace umbra::kube
