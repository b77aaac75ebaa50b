/* Files as memory, so that weights are read where the system caches them. */
#ifndef FEWBIT_MAP_FILE_H
#define FEWBIT_MAP_FILE_H

#include <stddef.h>

/*
 * Maps the `bytes` of an open file. Who writes to the memory gets a page of his own; the file never changes.
 * Returns NULL where that is not offered or the file has another size by now. The file may be closed
 * afterwards. If somebody shortens it while it is mapped, the system ends the process that reads it (SIGBUS).
 */
void *fb_map_file(int file, size_t bytes);
void fb_unmap_file(void *memory, size_t bytes);

#endif
