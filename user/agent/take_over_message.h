// What two agents say to each other while one takes over from the other, over one SOCK_SEQPACKET connection; texts are
// JSON, descriptors travel by SCM_RIGHTS (terminator/descriptor_message).
//
//   new                          old
//   hello {format, version}  ►
//                            ◄   offer: sockets, documents, pause and trip          old: documents are frozen
//   (builds everything, attaches nothing that clones)
//   ready {hook}             ►
//                            ◄   go: links, pause and trip again                    old: nothing changes by itself
//   (leads the links to its programs, or makes its maps live)
//   taken {hooks}            ►   ends without its files
//
// Either may say `no` before go. When the connection ends before taken, the old one goes on as before; when it ends
// without a `no`, the old one is dead, and the new one goes on with what it holds.
#pragma once

#include <sys/types.h>

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/clone_state.h"
#include "base/clock.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "loader/handed_link.h"
#include "rules/document_set.h"

namespace umbra::agent {

inline constexpr unsigned kTakeOverFormat = 1;
inline constexpr std::size_t kLinksPerMessage = 200;
inline constexpr std::size_t kMaxLinks = 16384;

// Of one object: so that one that comes anew can take its place.
struct CarriedDocument {
    rules::ObjectKey key;
    rules::SourceText source;
};
using CarriedDocuments = std::vector<CarriedDocument>;

struct Hello {
    unsigned format = kTakeOverFormat;
    std::string version;
};

struct Offer {
    unsigned format = kTakeOverFormat;
    std::string version;
    pid_t pid = 0;
    std::string netns;  // see network_identity()
    CloneState cloning;
    std::set<std::uint32_t> qdiscs;  // ifindexes; see Datapath::inherit_qdiscs
    CarriedDocuments documents;
    UniqueFd control, door;  // listening
    UniqueFd own;            // the map umbra_own
};

struct Go {
    std::optional<TimeNs> stopped_at;  // nothing: it clones until its links are led away
    CloneState cloning;
    std::set<std::uint32_t> qdiscs;
    std::vector<loader::HandedLink> links;
};

// None of them blocks.
Result<void> send_hello(int channel, const Hello& hello);
Result<void> send_offer(int channel, const Offer& offer);
Result<void> send_ready(int channel, bool tcx);
Result<void> send_go(int channel, const Go& go);
Result<void> send_taken(int channel, std::size_t hooks);
void send_refusal(int channel, const Error& why);

// Each blocks until something comes. The end of the connection is an Error with an empty message, a `no` one that says
// why.
Result<Hello> receive_hello(int channel);
Result<Offer> receive_offer(int channel);
Result<bool> receive_ready(int channel);  // whether the new one uses tcx
Result<Go> receive_go(int channel);
Result<std::size_t> receive_taken(int channel);

// A name of the calling process' network namespace; ifindexes mean something within one only.
std::string network_identity();

}  // namespace umbra::agent
