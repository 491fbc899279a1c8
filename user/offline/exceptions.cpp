#include "offline/exceptions.h"

#include "offline/stream_files.h"
#include "offline/stream_index.h"
#include "offline/survey.h"

namespace umbra::offline {

namespace {

using enum LimitKind;
using enum Action;

constexpr FixedLimit kLimits[] = {
    {"capture_streams", count, StreamIndex::kMaxStreams, cut_short, "error", "a connection more",
     "connections of a capture that `umbra streams` lists"},
    {"open_files", count, StreamFiles::kOpenLimit, forget_oldest, "-", "a stream more",
     "files that are open at once; others are opened again"},
    {"surveyed_flows", count, Survey::kFlows, forget_oldest, "-", "a flow more",
     "flows of a capture of which it is known whether the server was seen"},
    {"surveyed_senders", count, Survey::kSenders, forget_oldest, "-", "a sender more",
     "senders of a capture of which it is known whether they fill in checksums"},
};

}  // namespace

std::vector<ExceptionRow> list_limits() { return fixed_rows(kLimits); }

}  // namespace umbra::offline
