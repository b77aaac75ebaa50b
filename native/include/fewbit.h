/*
 * What an op sees: its arguments, the thread team, and the names of its instruction level.
 *
 * Every file in ops/ is compiled once per instruction level with FB_LEVEL set to portable, avx2,
 * avx512 or neon. An op is a plain C function over pointers; it knows nothing of JavaScript.
 */
#ifndef FEWBIT_H
#define FEWBIT_H

#include <stddef.h>
#include <stdint.h>

#define FB_MAX_BUFFERS 14
#define FB_MAX_SIZES 14
#define FB_MAX_REALS 6

/* Arguments of one call, in the order of the op's line in ops/ops.def. */
typedef struct {
  void *buffer[FB_MAX_BUFFERS]; /* NULL where the caller passed null */
  size_t bytes[FB_MAX_BUFFERS]; /* length of each buffer in bytes */
  int64_t size[FB_MAX_SIZES];   /* dimensions, positions, flags */
  double real[FB_MAX_REALS];    /* factors, epsilons */
} fb_args;

/* The threads that run one op after the other, and their scratch memory. */
typedef struct fb_team fb_team;

/* Runs an op. Returns NULL, or a message that says what was wrong. */
typedef const char *(*fb_run)(const fb_args *args, fb_team *team);

typedef struct {
  const char *name;
  int buffers, sizes, reals;
  fb_run run;
} fb_op;

/* Body of a parallel loop. `thread` is in [0, fb_threads(team)). */
typedef void (*fb_body)(void *context, int64_t chunk, int thread);

/*
 * Runs body(context, chunk, thread) for each chunk in [0, chunks) and returns when all are done. Chunks
 * are handed out one by one in rising order, so results must not depend on which thread runs a chunk:
 * split by output elements only, and by the shape alone, never by the number of threads.
 */
void fb_parallel(fb_team *team, int64_t chunks, fb_body body, void *context);

/* Number of threads of the team, at least 1. */
int fb_threads(const fb_team *team);

/*
 * Reserves scratch memory (64-byte aligned, undefined contents) for the running op: `shared` bytes for all
 * and `local` bytes for each thread. Earlier scratch of this op becomes invalid. Returns 0 when there
 * is no memory.
 */
int fb_reserve(fb_team *team, size_t shared, size_t local);
void *fb_shared(fb_team *team);
void *fb_local(fb_team *team, int thread);

/* Memory like fb_reserve's `shared`, for an op that calls products (gemm.h), which reserve scratch of their own. */
void *fb_workspace(fb_team *team, size_t bytes);

/* Features beyond the instruction level that the CPU and the chosen level allow. */
enum {
  FB_HAS_AVX512_VNNI = 1,
  FB_HAS_AVX512_BF16 = 2,
  FB_HAS_AMX_BF16 = 4,
  FB_HAS_DOTPROD = 8,
  FB_HAS_AVX_VNNI = 16,
  FB_HAS_AMX_INT8 = 32,
  FB_HAS_AVX512_POPCNT = 64
};
unsigned fb_features(const fb_team *team);

#define FB_PASTE2(a, b) a##_##b
#define FB_PASTE(a, b) FB_PASTE2(a, b)
/* The name of a function that exists once per level: FB_NAME(fb_add) is fb_add_avx512. */
#define FB_NAME(name) FB_PASTE(name, FB_LEVEL)
/* Starts the definition of an op: FB_OP(add) { ... }, with `args` and `team` in scope. */
#define FB_OP(op) const char *FB_NAME(fb_##op)(const fb_args *args, fb_team *team)
/* Declares or starts the body of a parallel loop: static FB_BODY(rows) { ... } */
#define FB_BODY(body) void body(void *context, int64_t chunk, int thread)

/* A function that is always inlined, so that arguments which are constant at a call specialize it. */
#define FB_INLINE static inline __attribute__((always_inline))

/* Leaves the op with a message when the caller broke the contract. */
#define FB_REQUIRE(condition)                                                                          \
  do {                                                                                                 \
    if (!(condition)) return "argument check failed: " #condition;                                     \
  } while (0)

static inline int64_t fb_min(int64_t a, int64_t b) { return a < b ? a : b; }
static inline int64_t fb_max(int64_t a, int64_t b) { return a > b ? a : b; }
static inline int64_t fb_ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
static inline int64_t fb_round_up(int64_t a, int64_t b) { return fb_ceil_div(a, b) * b; }

#endif
