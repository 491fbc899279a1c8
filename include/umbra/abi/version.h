/* Version of the contract between the BPF programs and user space, and the integer types it is written in. */
#ifndef UMBRA_ABI_VERSION_H
#define UMBRA_ABI_VERSION_H

#if !defined(__VMLINUX_H__)
#include <linux/types.h>
#endif

#define UMBRA_ABI_VERSION 1

#if defined(__cplusplus)
#define UMBRA_STATIC_ASSERT static_assert
#else
#define UMBRA_STATIC_ASSERT _Static_assert
#endif

#endif
