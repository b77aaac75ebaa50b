/* Files as memory, so that weights are read where the system caches them. */
#ifndef FEWBIT_MAP_FILE_H
#define FEWBIT_MAP_FILE_H

#include <stddef.h>

/*
 * Maps the `bytes` of an open file. Who writes to the memory gets a page of his own; the file never changes.
 * Returns NULL where that is not offered or the file has another size by now. The file may be closed
 * afterwards. Where somebody shortens it while it is mapped, or the disk fails, the rest of the memory reads as
 * zeros from then on, and the file counts as lost: whoever reads must ask for that before he uses a result.
 */
void *fb_map_file(int file, size_t bytes);
void fb_unmap_file(void *memory, size_t bytes);

/* How many of the files that are mapped now are lost. */
int fb_lost_files(void);
/* Whether what is mapped at this address is. */
int fb_is_lost_file(const void *memory);

#endif
