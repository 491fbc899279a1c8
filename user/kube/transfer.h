// Transfer: one request under way, the owner of its libcurl handle.
#pragma once

#include <curl/curl.h>

#include <array>

#include "kube/api_client.h"
#include "kube/line_splitter.h"

namespace umbra::kube {

class ApiClient::Transfer {
public:
    Transfer(ApiRequest request, ApiReceiver receiver);
    Transfer(const Transfer&) = delete;
    Transfer& operator=(const Transfer&) = delete;

    Result<void> prepare(const ClusterConfig& config, RequestId id);
    CURL* handle() const { return easy_.get(); }
    ApiReceiver& receiver() { return receiver_; }

    // The first look at a transfer starts its time.
    bool silent_too_long(TimeNs now);
    TimeNs patience() const { return request_.patience; }
    ApiAnswer answer(CURLcode code);

private:
    struct FreeEasy {
        void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
    };
    struct FreeList {
        void operator()(curl_slist* list) const { curl_slist_free_all(list); }
    };

    static std::size_t on_header(char* bytes, std::size_t size, std::size_t count, void* self);
    static std::size_t on_body(char* bytes, std::size_t size, std::size_t count, void* self);
    bool take(std::string_view bytes);
    long status() const;
    void add_header(const std::string& line);
    void set_basics();
    void set_address(const ClusterConfig& config);
    void set_trust(const ClusterConfig& config);
    void set_body();

    ApiRequest request_;
    ApiReceiver receiver_;
    std::unique_ptr<CURL, FreeEasy> easy_;
    std::unique_ptr<curl_slist, FreeList> headers_, connect_to_;
    std::array<char, CURL_ERROR_SIZE> error_{};
    LineSplitter lines_;
    std::string body_;
    TimeNs last_byte_ = 0;
    bool moved_ = false;  // since silent_too_long() looked last
    bool cut_ = false, too_large_ = false, opened_ = false;
};

}  // namespace umbra::kube
