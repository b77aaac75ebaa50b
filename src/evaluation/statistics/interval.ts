/** An interval of a figure, and how sure it is. */
export interface Interval {
  readonly low: number;
  readonly high: number;
  /** Share of repetitions in which such an interval holds the true value, 0 to 1. */
  readonly level: number;
}
