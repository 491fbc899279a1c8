#include "unit/terminator/http2_calls.h"

#include "protocol/flow_protocol.h"
#include "unit/protocol/http2_outcome.h"

namespace umbra::test {

std::string http2_calls(const std::string& path) {
    Http2Client client;
    client.post(1, path + "0").data(1, "hel").get(3, path + "1").data(1, "lo", kEndStream);
    client.get(5, path + "2").get(7, path + "3");
    return client.bytes;
}

}  // namespace umbra::test
