#include "offline/capture_feed.h"

namespace umbra::offline {

CaptureFeed::CaptureFeed(const Setup& setup, StreamObserver& observer, umbra_worker_row& worker)
    : setup_(setup),
      strict_(setup.limits, Mode::strict, observer, worker),
      one_sided_(setup.limits, Mode::one_sided, observer, worker),
      strict_feed_(strict_, Mode::strict, setup.limits.wait_timeout),
      one_sided_feed_(one_sided_, Mode::one_sided, setup.limits.wait_timeout) {}

void CaptureFeed::on_segment(const Segment& segment) {
    if (setup_.watcher) setup_.watcher->on_segment(segment);
    is_strict(segment.tuple) ? strict_feed_.on_segment(segment) : one_sided_feed_.on_segment(segment);
}

void CaptureFeed::on_server(const ServerHeader& header) {
    if (setup_.watcher) setup_.watcher->on_server(header);
    if (!is_strict(header.tuple)) return;
    if (!setup_.accept_multipath || !header.options.mptcp) return strict_feed_.on_server(header);
    ServerHeader plain = header;
    plain.options.mptcp = false;
    strict_feed_.on_server(plain);
}

void CaptureFeed::on_time(TimeNs now) {
    strict_feed_.on_time(now);
    one_sided_feed_.on_time(now);
}

void CaptureFeed::on_end(TimeNs now) {
    strict_feed_.on_end(now);
    one_sided_feed_.on_end(now);
}

bool CaptureFeed::trusts(const TcpPacket& packet) {
    return setup_.survey && setup_.survey->offloads(packet.source.address);
}

}  // namespace umbra::offline
