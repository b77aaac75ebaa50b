/* See map_file.h. */
#include "map_file.h"

#if defined(_WIN32)

void *fb_map_file(int file, size_t bytes) {
  (void)file;
  (void)bytes;
  return NULL;
}

void fb_unmap_file(void *memory, size_t bytes) {
  (void)memory;
  (void)bytes;
}

#else

#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>

void *fb_map_file(int file, size_t bytes) {
  struct stat status;
  if (!bytes || fstat(file, &status) || (uint64_t)status.st_size != bytes) return NULL;
  void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
  if (memory == MAP_FAILED) return NULL;
  madvise(memory, bytes, MADV_WILLNEED);
  return memory;
}

void fb_unmap_file(void *memory, size_t bytes) { munmap(memory, bytes); }

#endif
