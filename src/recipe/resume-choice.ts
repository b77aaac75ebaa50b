/** `auto`: resume a run that was interrupted. `restart`: discard what it had done. */
export type ResumeChoice = "auto" | "restart";
