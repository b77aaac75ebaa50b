import type { Prng } from "../../util/prng.ts";
import type { Meter } from "./limits.ts";
import type { Arguments, Value } from "./values.ts";

/** What filters and tests need of the template that uses them. */
export interface Engine {
  readonly meter: Meter;
  readonly random: Prng;
  /** Applies a filter by its name; its value is the first of the arguments. */
  filter(name: string, args: Arguments): Value;
  /** Applies a test by its name; its value is the first of the arguments. */
  test(name: string, args: Arguments): boolean;
}

/** A filter. The first argument is the value in front of the bar. */
export type Filter = (args: Arguments, engine: Engine) => Value;

/** A test. The first argument is the value in front of `is`. */
export type Test = (args: Arguments, engine: Engine) => boolean;
