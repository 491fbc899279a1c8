#include "flow/server_record.h"

#include <algorithm>

#include "flow/tcp_header.h"

namespace umbra {

ServerHeader server_header(const umbra_server_record& record) {
    const auto options = std::min<std::size_t>(record.options_len, sizeof record.options);
    const auto prefix = std::min<std::size_t>(record.prefix_len, sizeof record.prefix);
    ServerHeader header;
    header.seq = record.seq;
    header.ack = record.ack;
    header.flags = record.tcp_flags;
    header.window = record.window;
    header.options = decode_tcp_options(std::as_bytes(std::span(record.options, options)));
    header.time = record.time_ns;
    header.tuple = FlowTuple::from_key(record.tuple);
    header.payload_len = record.payload_len;
    header.prefix = std::as_bytes(std::span(record.prefix, prefix));
    return header;
}

}  // namespace umbra
