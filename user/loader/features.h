// What the running kernel offers, asked once.
#pragma once

#include <string>

namespace umbra::loader {

struct Features {
    std::string kernel;  // release
    bool tcx = false;
    bool btf = false;
};

Features probe_features();

}  // namespace umbra::loader
