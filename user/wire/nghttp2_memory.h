// nghttp2 is C: an exception must not pass through it, and it reports its own lack of memory by a code. Both become
// std::bad_alloc outside.
#pragma once

#include <nghttp2/nghttp2.h>

#include <new>

namespace umbra::wire {

// The body of a callback that allocates. Its failure ends nghttp2's call with the code that throw_if_exhausted() knows.
template <class Body>
int within_nghttp2(Body&& body) {
    try {
        return body();
    } catch (const std::bad_alloc&) {
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    }
}

// Of what nghttp2 returned. Umbra's callbacks fail for good for no other reason.
template <class Code>
Code throw_if_exhausted(Code code) {
    if (code == NGHTTP2_ERR_NOMEM || code == NGHTTP2_ERR_CALLBACK_FAILURE) throw std::bad_alloc();
    return code;
}

}  // namespace umbra::wire
