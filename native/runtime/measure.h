/* How many threads this machine really runs at once. */
#ifndef FEWBIT_MEASURE_H
#define FEWBIT_MEASURE_H

/*
 * Returns the number of threads, at most `most`, beyond which more of them get no more arithmetic done:
 * hyperthreads share the units, and virtual processors may share a core. Takes a few milliseconds.
 */
int fb_measure_threads(int most);

#endif
