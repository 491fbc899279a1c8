/* Addresses, endpoints and flows as both sides write them into map keys and records.
 * Addresses are 16 bytes in network order, IPv4 as v4-mapped IPv6 (::ffff:a.b.c.d). Ports are in network order.
 * Keys are compared byte by byte: padding is always zero. */
#ifndef UMBRA_ABI_TUPLE_H
#define UMBRA_ABI_TUPLE_H

#include "version.h"

struct umbra_endpoint {
	__u8 addr[16];
	__be16 port;
	__u16 pad;
};
UMBRA_STATIC_ASSERT(sizeof(struct umbra_endpoint) == 20, "umbra_endpoint is a map key");

struct umbra_tuple {
	__u8 client_addr[16];
	__u8 server_addr[16];
	__be16 client_port;
	__be16 server_port;
};
UMBRA_STATIC_ASSERT(sizeof(struct umbra_tuple) == 36, "umbra_tuple is a map key");

#endif
