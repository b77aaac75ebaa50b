/*
 * See map_file.h. Reading a page that the file no longer has raises SIGBUS, on whichever thread reads. The handler
 * puts zeros in the place of the rest of the mapping and notes it, and the read goes on; nothing is asked of those
 * who read, so that it costs nothing as long as no file is lost.
 */
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

int fb_lost_files(void) { return 0; }

int fb_is_lost_file(const void *memory) {
  (void)memory;
  return 0;
}

#else

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MOST_FILES 1024

/* A mapping; free where `begin` is 0. The handler reads this at any moment, so that all of it is atomic. */
typedef struct {
  _Atomic(uintptr_t) begin;
  _Atomic(uintptr_t) end; /* a multiple of the page */
  atomic_int is_lost;
} mapping;

static mapping mappings[MOST_FILES];
static pthread_mutex_t changing = PTHREAD_MUTEX_INITIALIZER;
static struct sigaction before;
static int is_handled;
static uintptr_t page;

/* Does what would have been done without a handler of ours. */
static void pass_on(int number, siginfo_t *info, void *context) {
  if (before.sa_flags & SA_SIGINFO) {
    before.sa_sigaction(number, info, context);
  } else if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN) {
    before.sa_handler(number);
  } else {
    /* The read is done again when this returns, and ends the process then. */
    struct sigaction usual = {.sa_handler = SIG_DFL};
    sigemptyset(&usual.sa_mask);
    sigaction(number, &usual, NULL);
  }
}

static void on_bus_error(int number, siginfo_t *info, void *context) {
  int error = errno;
  uintptr_t at = (uintptr_t)info->si_addr;
  for (int i = 0; i < MOST_FILES; i++) {
    uintptr_t begin = atomic_load(&mappings[i].begin), end = atomic_load(&mappings[i].end);
    if (!begin || at < begin || at >= end) continue;
    uintptr_t start = at - at % page;
    atomic_store(&mappings[i].is_lost, 1);
    void *zeros = mmap((void *)start, end - start, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
                       -1, 0);
    if (zeros == MAP_FAILED) break;
    errno = error;
    return;
  }
  errno = error;
  pass_on(number, info, context);
}

static int handle_bus_errors(void) {
  if (is_handled) return 1;
  struct sigaction own = {.sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO | SA_ONSTACK};
  sigemptyset(&own.sa_mask);
  page = (uintptr_t)sysconf(_SC_PAGESIZE);
  is_handled = !sigaction(SIGBUS, &own, &before);
  return is_handled;
}

static mapping *find(const void *memory) {
  for (int i = 0; i < MOST_FILES; i++) {
    if (atomic_load(&mappings[i].begin) == (uintptr_t)memory) return &mappings[i];
  }
  return NULL;
}

/* Returns whether there was room to note it, and the handler is there. */
static int note(void *memory, size_t bytes) {
  pthread_mutex_lock(&changing);
  mapping *free_one = handle_bus_errors() ? find(NULL) : NULL;
  if (free_one) {
    uintptr_t begin = (uintptr_t)memory;
    atomic_store(&free_one->is_lost, 0);
    atomic_store(&free_one->end, begin + (bytes + page - 1) / page * page);
    atomic_store(&free_one->begin, begin);
  }
  pthread_mutex_unlock(&changing);
  return free_one != NULL;
}

void *fb_map_file(int file, size_t bytes) {
  struct stat status;
  if (!bytes || fstat(file, &status) || (uint64_t)status.st_size != bytes) return NULL;
  void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
  if (memory == MAP_FAILED) return NULL;
  if (!note(memory, bytes)) {
    munmap(memory, bytes);
    return NULL;
  }
  madvise(memory, bytes, MADV_WILLNEED);
  return memory;
}

void fb_unmap_file(void *memory, size_t bytes) {
  pthread_mutex_lock(&changing);
  mapping *noted = memory ? find(memory) : NULL;
  if (noted) {
    atomic_store(&noted->begin, 0);
    atomic_store(&noted->is_lost, 0);
  }
  pthread_mutex_unlock(&changing);
  munmap(memory, bytes);
}

int fb_lost_files(void) {
  int lost = 0;
  for (int i = 0; i < MOST_FILES; i++) {
    lost += atomic_load_explicit(&mappings[i].is_lost, memory_order_acquire);
  }
  return lost;
}

int fb_is_lost_file(const void *memory) {
  mapping *noted = memory ? find(memory) : NULL;
  return noted && atomic_load(&noted->is_lost);
}

#endif
