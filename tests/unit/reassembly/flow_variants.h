// Changes to a captured flow that must not change what its origin reads. Each says what it changes and what it leaves.
#pragma once

#include <random>

#include "unit/reassembly/captured_flow.h"

namespace umbra::test {

// Every byte of the client in a packet of its own, up to `most` packets; what follows stays whole. SYN and RST stay.
void cut_to_bytes(CapturedFlow& flow, std::size_t most);

// Client packets with data or FIN change places within windows of 64, as a network may do. Server packets stay where
// they are: clones and the server's headers come by different ways, so either may be read first. All packets of a
// window carry the time of its first: the window is younger than what a capture is given to settle. A window holds
// 64 KB at most, which is what every receiver may have in flight, and ends before a SYN or RST, and before a
// retransmission: nothing is overtaken by what was sent because it had not arrived.
void shuffle(CapturedFlow& flow, std::mt19937& random);

// One packet in ten, of either side, comes again at once or up to eight packets later.
void duplicate(CapturedFlow& flow, std::mt19937& random);

// Both sides' sequence numbers are moved so that 2^32 lies in the middle of each stream; SACK blocks follow.
void shift_to_wrap(CapturedFlow& flow);

// IPv4 addresses become IPv6 ones and the other way round.
void change_ip_version(CapturedFlow& flow);

// Successive segments of the client become one, up to 64 KB, where they are less than 100 ms apart and the server said
// nothing but ACKs between them. The merged segment has the first one's place, time and ACK. SYN, RST and URG stay.
void merge(CapturedFlow& flow);

}  // namespace umbra::test
