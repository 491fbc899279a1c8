/* Every way to lose something, once. X(name, sentence); the position is the code, so new reasons go to the end
 * of their list and none is ever reused. A reason is counted where the loss happens and nowhere else. */
#ifndef UMBRA_ABI_REASON_H
#define UMBRA_ABI_REASON_H

/* Lost in the kernel, counted in packets and bytes by the BPF program. */
#define UMBRA_KERNEL_REASONS(X)                                                        \
	X(unsampled, "the flow is outside the rule's percentage")                      \
	X(muted, "the terminator asked to stop cloning this flow")                     \
	X(own, "a connection of the terminator itself (loop guard)")                   \
	X(clone_failed, "bpf_clone_redirect returned an error")                        \
	X(queue_full, "the capture device's queue was full")                           \
	X(ring_full, "the ring buffer had no room for a server header")                \
	X(fragment, "an IP fragment: TCP in fragments is not mirrored")                \
	X(malformed, "the packet's headers contradict its length")

/* Lost in the terminator, counted in flows, requests and bytes. */
#define UMBRA_REASONS(X)                                                               \
	X(duplicate, "bytes that were already seen (retransmission, keep-alive probe)") \
	X(bad_header, "a TCP or IP header that the receiver drops")                    \
	X(bad_checksum, "the TCP checksum is wrong")                                   \
	X(out_of_window, "bytes that the receiver does not accept here")               \
	X(paws, "a timestamp from the past")                                           \
	X(no_handshake, "no server answer was seen for this flow")                     \
	X(unacknowledged, "bytes that the server never acknowledged")                  \
	X(midstream, "the flow was open before Umbra and no request boundary was proven") \
	X(gap, "a cloned packet was lost, bytes up to the next proven boundary are skipped") \
	X(overlap_conflict, "two copies of the same bytes contradict each other")      \
	X(urgent, "urgent data in the stream")                                         \
	X(mptcp, "multipath TCP")                                                      \
	X(ooo_segments, "more out-of-order segments than the limit of a flow")         \
	X(ooo_bytes, "more out-of-order bytes than the limit of a flow")               \
	X(memory, "the worker's memory limit was reached")                             \
	X(flow_table, "the flow table is full")                                        \
	X(idle, "nothing was heard of the flow for too long")                          \
	X(client_reset, "the client reset the connection inside a request")            \
	X(client_closed, "the client closed the connection inside a request")          \
	X(tls, "encrypted traffic")                                                    \
	X(unsupported_protocol, "a protocol that cannot be mirrored yet")              \
	X(http_invalid, "bytes that are not HTTP/1")                                   \
	X(http_ambiguous, "a request that two servers may read differently")           \
	X(http_head_size, "a request head above the limit")                            \
	X(unmatched, "no rule with a mirror matches the request")                      \
	X(other_rule, "the request belongs to another rule, which counts it as seen")  \
	X(no_endpoint, "the mirror has no live endpoint")                              \
	X(connect_refused, "the mirror refused the connection")                        \
	X(connect_timeout, "the mirror did not answer the connection attempt")         \
	X(connect_failed, "the connection to the mirror could not be made")            \
	X(breaker_open, "the mirror failed lately and is being left alone")            \
	X(connection_limit, "too many connections to the mirror")                      \
	X(flow_queue, "more bytes queued for the mirror than the limit of a flow")     \
	X(total_queue, "more bytes queued for mirrors than the limit of the worker")   \
	X(mirror_closed, "the mirror closed the connection before its response was complete") \
	X(mirror_reset, "the mirror reset the connection before its response was complete") \
	X(response_timeout, "the mirror did not complete its response in time")        \
	X(response_invalid, "the mirror's response is not valid HTTP")                     \
	X(rule_removed, "the rule was removed")                                        \
	X(shutdown, "the agent stopped")                                               \
	X(upgrade_refused, "the mirror did not switch protocols as the primary did")   \
	X(injected, "thrown away on purpose by --inject-loss")                           \
	X(unsampled, "the request is outside the mirror's percentage")                 \
	X(unsafe_method, "a method that may write, and the mirror takes safe ones only") \
	X(h2_control, "HTTP/2 frames of the client's own connection: the mirror's has its own") \
	X(h2_invalid, "HTTP/2 frames that break the protocol")                         \
	X(h2_upgrade, "a switch from HTTP/1 to HTTP/2: the streams after it")          \
	X(stream_limit, "more open streams than the limit of a flow")                  \
	X(header_size, "a header list above the limit")                                \
	X(mirror_in_flight, "more requests unanswered than the mirror's limit")        \
	X(mirror_queue, "more bytes queued than the mirror's limit")                   \
	X(mirror_rate, "more bytes per second than the mirror's limit")                \
	X(mirror_refused, "the mirror refused the stream or is going away")            \
	X(tls_failed, "no TLS connection to the mirror: handshake or certificate")

#define UMBRA_KERNEL_REASON_ENUM(name, text) UMBRA_KERNEL_##name,
enum umbra_kernel_reason { UMBRA_KERNEL_REASONS(UMBRA_KERNEL_REASON_ENUM) UMBRA_KERNEL_REASON_COUNT };

#define UMBRA_REASON_ENUM(name, text) UMBRA_REASON_##name,
enum umbra_reason { UMBRA_REASONS(UMBRA_REASON_ENUM) UMBRA_REASON_COUNT };

#endif
