#include "alloc/client_bytes.h"

#include "unit/protocol/http2_client.h"

namespace umbra::test {

namespace {

std::string noise(std::size_t size, unsigned seed) {
    std::string out(size, 0);
    for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<char>('a' + ((i + seed) * 2654435761u >> 23) % 26);
    return out;
}

std::string post(const std::string& target, const std::string& body) {
    return "POST " + target + " HTTP/1.1\r\nHost: v1\r\nContent-Length: " + std::to_string(body.size()) +
           "\r\nCookie: secret\r\n\r\n" + body;
}

}  // namespace

const std::vector<std::string>& http1_requests() {
    static const std::vector<std::string> made{
        "GET /one?token=abc HTTP/1.1\r\nHost: v1\r\nAuthorization: Basic c2VjcmV0\r\n\r\n",
        post("/two", noise(3000, 1)),
        "PUT /three HTTP/1.1\r\nHost: v1\r\nTransfer-Encoding: chunked\r\n\r\n400\r\n" + noise(1024, 2) +
            "\r\n5\r\nhello\r\n0\r\nx-trailer: yes\r\n\r\n",
        "GET /four HTTP/1.1\r\nHost: v1\r\n\r\n", post("/five", noise(100'000, 3))};
    return made;
}

std::string smuggled_request() {
    return "POST /bad HTTP/1.1\r\nHost: v1\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
}

const std::string& raw_session() {
    static const std::string made = "*1\r\n$4\r\nPING\r\n" + noise(20'000, 4);
    return made;
}

namespace {

std::string make_http2_session() {
    constexpr unsigned kHeaders = NGHTTP2_HEADERS;
    Http2Client client;
    client.get(1, "/h2/get");
    client.post(3, "/h2/unary", {{"content-type", "application/grpc"}, {"te", "trailers"}});
    client.data(3, noise(3000, 5)).data(3, "end", kEndStream);
    client.post(5, "/h2/stream", {{"x-trailing", "yes"}});
    client.data(5, noise(9000, 6)).padded(5, noise(500, 7), 20);
    client.frame(kHeaders, kEndHeaders | kEndStream, 5, client.block({{"x-checksum", "1234"}}));
    client.post(7, "/h2/cancelled").data(7, "never").reset(7);
    client.get(9, "/h2/last");
    return client.bytes;
}

}  // namespace

const std::string& http2_session() {
    static const std::string made = make_http2_session();
    return made;
}

}  // namespace umbra::test
