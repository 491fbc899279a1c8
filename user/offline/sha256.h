// Sha256: the running SHA-256 of a stream, by libcrypto. Not for secrets.
#pragma once

#include <memory>
#include <string>

#include "base/bytes.h"

struct evp_md_ctx_st;

namespace umbra::offline {

class Sha256 {
public:
    Sha256();
    void update(Bytes bytes);
    // 64 hexadecimal digits; the sum is over after that.
    std::string finish();

private:
    struct Free {
        void operator()(evp_md_ctx_st* context) const;
    };
    std::unique_ptr<evp_md_ctx_st, Free> context_;
};

}  // namespace umbra::offline
