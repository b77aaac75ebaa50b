/* What this CPU, and the operating system below it, can run. */
#ifndef FEWBIT_CPU_H
#define FEWBIT_CPU_H

/* Each returns 0 when the level is absent, else 1 | features << 1 (see FB_HAS_* in fewbit.h). */
unsigned fb_cpu_portable(void);
unsigned fb_cpu_avx2(void);
unsigned fb_cpu_avx512(void);
unsigned fb_cpu_amx(void);
unsigned fb_cpu_neon(void);

#endif
