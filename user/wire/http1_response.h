// ResponseFramer: finds the end of a response with llhttp, for a reader that discards it. Tolerant where a request
// would be refused: only the end matters. Keeps no bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/bytes.h"

namespace umbra::wire {

class ResponseFramer {
public:
    enum class Method : std::uint8_t { other, head, connect };
    enum class State : std::uint8_t {
        more,
        complete,
        upgraded,  // 101, or 2xx to CONNECT: what follows is another protocol
        invalid,
    };
    struct Step {
        State state = State::more;
        std::size_t consumed = 0;
    };

    ResponseFramer();
    ~ResponseFramer();
    ResponseFramer(const ResponseFramer&) = delete;
    ResponseFramer& operator=(const ResponseFramer&) = delete;

    void begin(Method method);
    // Interim responses (1xx) are passed over. Not to be called again after `complete` without begin().
    Step feed(Bytes bytes);
    // The connection ended: complete if that is what ends this response.
    State finish();
    bool keep_alive() const;
    // Of the response that is complete.
    unsigned status() const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace umbra::wire
