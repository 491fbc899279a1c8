/* Sizes that kernel and user space must agree on. */
#ifndef UMBRA_ABI_LIMITS_H
#define UMBRA_ABI_LIMITS_H

#define UMBRA_MAX_RULES 256       /* rule slots; a slot keeps its counters as long as its rule lives */
#define UMBRA_MAX_CANDIDATES 8    /* rules that one endpoint may have to choose between, in order */
#define UMBRA_MAX_ENDPOINTS 65536 /* live origin endpoints in one generation */
#define UMBRA_MAX_SOURCES 65536   /* source prefixes in one generation */
#define UMBRA_MAX_MUTED 65536     /* flows whose cloning the terminator stopped (LRU) */
#define UMBRA_MAX_OWN 65536       /* the terminator's own connections that the loop guard knows */
#define UMBRA_MAX_DEVICES 4096    /* that programs are attached to */
#define UMBRA_MAX_WORKERS 64
#define UMBRA_GENERATIONS 2 /* the live one and the one being written */
#define UMBRA_MAX_VLAN_TAGS 2
#define UMBRA_MAX_EXT_HEADERS 8
#define UMBRA_SERVER_OPTIONS 40 /* TCP option bytes kept of a server packet: all of them */
#define UMBRA_SERVER_PREFIX 16  /* payload bytes kept of a server packet: enough for "HTTP/1.1 200 OK" */

#endif
