// What an HTTP/2 client says that has two calls open at once: /PATH/0 to /PATH/3, the first with the body "hello".
#pragma once

#include <string>

namespace umbra::test {

std::string http2_calls(const std::string& path);

}  // namespace umbra::test
