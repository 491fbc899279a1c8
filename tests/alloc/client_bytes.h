// What the clients of the standard run say.
#pragma once

#include <string>
#include <vector>

namespace umbra::test {

// HTTP/1.1: with bodies by length and in chunks, the last one above the size that replay holds back.
const std::vector<std::string>& http1_requests();
std::string smuggled_request();  // two servers may read it differently
const std::string& raw_session();
// HTTP/2: unary and streaming calls with trailers, one that the client cancels.
const std::string& http2_session();

}  // namespace umbra::test
