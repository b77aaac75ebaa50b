/*
 * Runs every check at every level that this CPU has (or the one named), with one thread and with three: with the
 * features that the CPU has beyond the level, and as a CPU without them would run it.
 */
#include <stdio.h>
#include <string.h>

#include "../runtime/team.h"
#include "check.h"

#define FB_CHECK_ENTRY(name) void check_##name(fb_check *check);
#include "checks.def"
#undef FB_CHECK_ENTRY

static const struct {
  const char *name;
  void (*run)(fb_check *check);
} checks[] = {
#define FB_CHECK_ENTRY(name) {#name, check_##name},
#include "checks.def"
#undef FB_CHECK_ENTRY
};

#define CHECKS (int)(sizeof checks / sizeof checks[0])

static int run_level(const fb_level *level, unsigned features) {
  static const int threads[] = {1, 3};
  int failures = 0;
  for (int t = 0; t < 2; t++) {
    fb_check check = {.level = level, .team = fb_team_open(threads[t], features)};
    for (int i = 0; i < CHECKS; i++) {
      check.name = checks[i].name;
      check.random = (uint64_t)i + 1;
      checks[i].run(&check);
    }
    fb_team_close(check.team);
    failures += check.failures;
  }
  const char *kind = features ? ", all features" : "";
  printf("%s%s: %d checks, %d failures\n", level->name, kind, CHECKS, failures);
  return failures;
}

int main(int count, char **argument) {
  int failures = 0, ran = 0;
  for (int i = 0; i < fb_level_count; i++) {
    unsigned support = fb_levels[i].supported();
    if (!support || (count > 1 && strcmp(argument[1], fb_levels[i].name))) continue;
    if (support >> 1) failures += run_level(&fb_levels[i], support >> 1);
    failures += run_level(&fb_levels[i], 0);
    ran++;
  }
  if (ran) return failures != 0;
  fprintf(stderr, "this CPU has no level %s\n", count > 1 ? argument[1] : "");
  return 2;
}
