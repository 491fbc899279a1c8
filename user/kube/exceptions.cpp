#include "kube/exceptions.h"

#include "kube/api_client.h"
#include "kube/feed.h"
#include "kube/json_text.h"
#include "kube/limits.h"
#include "kube/node_lease.h"
#include "kube/picture.h"
#include "kube/watch_set.h"

namespace umbra::kube {

namespace {

using enum LimitKind;
using enum Action;

constexpr PictureLimits kPicture;

constexpr FixedLimit kLimits[] = {
    {"cluster_objects", count, kPicture.objects, drop_object, "status: kubernetes", "an object more",
     "objects of the cluster"},
    {"cluster_bytes", bytes, kPicture.bytes, drop_object, "status: kubernetes", "more of them",
     "text of all objects of the cluster"},
    {"cluster_object_bytes", bytes, kPicture.object_bytes, drop_object, "status: kubernetes", "a larger object",
     "one object of the cluster, trimmed"},
    {"api_body", bytes, kMaxBodyBytes, refuse_document, "log", "a longer answer", "an answer of the API server"},
    {"api_line", bytes, kMaxLineBytes, refuse_document, "log", "a longer event", "one event of a watch"},
    {"api_patience", time, ApiRequest{}.patience, refuse_document, "log", "a server that is silent",
     "an answer of the API server"},
    {"api_depth", count, kMaxJsonDepth, drop_object, "log", "a level more", "levels of an answer of the API server"},
    {"feed_frame", bytes, kMaxFrameBytes, close_client, "log", "a longer frame",
     "a frame between controller and loader"},
    {"feed_objects", count, kMaxFrameObjects, cut_short, "-", "an object more",
     "objects of one frame; the others follow"},
    {"namespace_watches", count, kMaxNamespaceWatches, cut_short, "-", "a namespace more",
     "namespaces that are watched one by one; past it all are"},
    {"leased_nodes", count, kMaxNodes, drop_object, "log", "a node more", "nodes whose reports the leader reads"},
    {"node_report", bytes, kMaxAnnotation, cut_short, "-", "more rules",
     "a node's report; rules from the end are left out"},
    {"status_objects", count, kMaxStatusObjects, drop_object, "log", "an object more",
     "objects whose status the leader writes"},
    {"status_bytes", bytes, kMaxStatusBytes, drop_object, "-", "a longer status",
     "the status of an object; past it it is written anew"},
    {"small_file", bytes, kMaxSmallFile, refuse_start, "error", "a larger file", "a token, certificate or kubeconfig"},
};

}  // namespace

std::vector<ExceptionRow> list_limits() { return fixed_rows(kLimits); }

}  // namespace umbra::kube
