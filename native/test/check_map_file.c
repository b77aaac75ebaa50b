/* A mapped file that becomes shorter reads as zeros and counts as lost; others, and the process, are untouched. */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "../runtime/map_file.h"

#if defined(_WIN32)

void check_map_file(fb_check *check) { (void)check; }

#else

#include <stdio.h>
#include <unistd.h>

#define BYTES ((size_t)5 << 16)

static FILE *make_file(fb_check *check) {
  FILE *file = tmpfile();
  char *bytes = take(BYTES);
  memset(bytes, 7, BYTES);
  if (!file || fwrite(bytes, 1, BYTES, file) != BYTES || fflush(file)) fail_check(check, "no temporary file");
  free(bytes);
  return file;
}

static void expect(fb_check *check, const char *what, int actual, int expected) {
  if (actual != expected) fail_check(check, "%s: %d, expected %d", what, actual, expected);
}

void check_map_file(fb_check *check) {
  FILE *file = make_file(check), *other = make_file(check);
  if (!file || !other) return;
  int before = fb_lost_files();
  volatile char *memory = fb_map_file(fileno(file), BYTES), *intact = fb_map_file(fileno(other), BYTES);
  if (!memory || !intact) {
    fail_check(check, "files are not mapped");
    return;
  }
  expect(check, "first byte", memory[0], 7);
  expect(check, "lost before", fb_lost_files(), before);
  if (ftruncate(fileno(file), 100)) fail_check(check, "cannot cut the file off");
  expect(check, "last byte", memory[BYTES - 1], 0);
  expect(check, "a byte in between", memory[BYTES / 2], 0);
  expect(check, "first byte afterwards", memory[0], 7);
  expect(check, "lost", fb_lost_files(), before + 1);
  expect(check, "which", fb_is_lost_file((const void *)memory), 1);
  expect(check, "the other", fb_is_lost_file((const void *)intact), 0);
  expect(check, "byte of the other", intact[BYTES - 1], 7);
  fb_unmap_file((void *)memory, BYTES);
  fb_unmap_file((void *)intact, BYTES);
  expect(check, "lost afterwards", fb_lost_files(), before);
  fclose(file);
  fclose(other);
}

#endif
