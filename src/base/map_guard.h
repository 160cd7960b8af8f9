/* Reads of a mapped file whose bytes are gone (the file was cut, its disk failed): a flag instead
 * of a SIGBUS.
 *
 * The kernel raises SIGBUS in the thread that touches such a page. While the guard is held, tern's
 * handler puts pages of zeros in place of the rest of that mapping and sets its flag: the read goes
 * on, and whoever used the bytes asks tern_map_guard_hit afterwards and fails with a sentence. A
 * fault anywhere else goes to the handler that was there before. Called by base/file.c (registers
 * mappings) and backend/context.c. */
#ifndef TERN_BASE_MAP_GUARD_H
#define TERN_BASE_MAP_GUARD_H

#include <stdbool.h>
#include <stddef.h>

/* Installs the handler of SIGBUS with the first holder; puts the old one back with the last. Any
 * thread. A handler that the host has installed over it in between stays. False: the system
 * refuses. */
bool tern_map_guard_hold(void);
void tern_map_guard_release(void);

/* Registers the mapping [data, data + n_bytes); the slot's number, or -1 where TERN_GUARDED_MAPS
 * are registered already. tern_map_guard_remove before the mapping is undone; -1 is allowed. */
enum { TERN_GUARDED_MAPS = 4096 };
int tern_map_guard_add(const void *data, size_t n_bytes);
void tern_map_guard_remove(int slot);

/* Whether a read of the slot's mapping has met missing bytes since it was registered. -1: false. */
bool tern_map_guard_hit(int slot);

#endif
