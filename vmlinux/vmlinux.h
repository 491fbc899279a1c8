/* Kernel types for the target architecture; see scripts/gen_vmlinux. */
#if defined(__TARGET_ARCH_x86)
#include "vmlinux_x86.h"
#elif defined(__TARGET_ARCH_arm64)
#include "vmlinux_arm64.h"
#else
#error "run scripts/gen_vmlinux on this architecture and name its header here"
#endif
