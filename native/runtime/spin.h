/* How a waiting thread passes the first microseconds before it goes to sleep. */
#ifndef FEWBIT_SPIN_H
#define FEWBIT_SPIN_H

#if defined(__x86_64__) || defined(__i386__)
#define fb_pause() __builtin_ia32_pause()
#elif defined(__aarch64__)
#define fb_pause() __asm__ __volatile__("yield")
#else
#define fb_pause() ((void)0)
#endif

/* About 20 µs: longer than the gap between two ops of one layer, shorter than anyone can feel. */
#if defined(__aarch64__)
#define FB_SPINS 8000
#else
#define FB_SPINS 600
#endif

#endif
