/* Settings, written by the loader before the programs are loaded; the verifier sees them as constants. */
#ifndef UMBRA_BPF_CONFIG_H
#define UMBRA_BPF_CONFIG_H

#include "vmlinux.h"

#include <bpf/bpf_helpers.h>

const volatile __u32 umbra_worker_count = 1;
const volatile __u32 umbra_flow_seed = 0;    /* of the hash that spreads flows over workers */
const volatile __u32 umbra_capture = 0;	     /* ifindex of the capture device for Ethernet frames */
const volatile __u32 umbra_capture_ip = 0;   /* ifindex of the one for packets without a link header */
const volatile __u32 umbra_wakeup_bytes = 0; /* a ring that holds more wakes its reader, … */
const volatile __u32 umbra_wakeup_step = 1;  /* … once for as many bytes (a power of two) */

#endif
