/* The thread team: see fewbit.h for what ops may use, this file for what the queue uses. */
#ifndef FEWBIT_TEAM_H
#define FEWBIT_TEAM_H

#include "../include/fewbit.h"

/* Starts a team of `threads` (the calling thread is one of them). Returns NULL when that fails. */
fb_team *fb_team_open(int threads, unsigned features);
/* Ends the workers and frees the scratch memory. */
void fb_team_close(fb_team *team);
/* Makes the running op skip its remaining chunks, for a quick end. Any thread may call this. */
void fb_team_cancel(fb_team *team);
/* Gives large scratch memory back; called between ops. */
void fb_team_trim(fb_team *team);

#endif
