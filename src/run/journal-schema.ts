import { z } from "zod";

/*
 * The lines of a journal, as far as a run that is resumed relies on them. Whoever can write a line
 * can sign it.
 */

const text = z.string();
const count = z.int().nonnegative();
/** A figure; one that is not a number stands as null in JSON. */
const figure = z.number().nullable();
const texts = z.record(z.string(), text);

const effort = z.looseObject({
  at: text,
  elapsedMs: z.number().nonnegative(),
  processorMs: z.number().nonnegative(),
  peakMemoryBytes: z.number().nonnegative(),
  peakAnonymousBytes: z.number().nonnegative().nullable(),
});

const ids = z.custom<readonly number[]>(
  (value) =>
    Array.isArray(value) &&
    value.every(
      (id) => Number.isSafeInteger(id) && (id as number) >= 0 && (id as number) < 2 ** 31,
    ),
);

const linear = z.looseObject({
  module: text,
  block: count,
  slot: text,
  scheme: text,
  bitsPerWeight: z.number(),
  weights: count,
  relativeError: figure,
  elapsedMs: figure,
});

const table = z.looseObject({
  module: text,
  roles: z.array(text),
  scheme: text,
  bitsPerWeight: z.number(),
  weights: count,
  relativeError: figure,
  elapsedMs: figure,
});

const part = z.looseObject({
  type: z.literal("part"),
  name: text,
  transforms: z.array(
    z.looseObject({
      method: text,
      block: count,
      parts: z.array(z.looseObject({})),
      elapsedMs: figure,
    }),
  ),
  linears: z.array(linear),
  blocks: z.array(
    z.looseObject({ block: count, figures: z.record(text, figure), elapsedMs: figure }),
  ),
  ends: z.array(table),
  modules: z.record(text, z.unknown()),
  tensors: texts,
  outputs: text.nullable(),
  effort,
});

/** The first line. */
export const headSchema = z.looseObject({
  type: z.literal("run"),
  version: z.number(),
  startedAt: text,
  identity: texts,
});

/** A line after the first. */
export const entrySchema = z.discriminatedUnion("type", [
  z.looseObject({ type: z.literal("window"), ids, effort }),
  part,
  z.looseObject({ type: z.literal("state"), step: count, effort }),
  z.looseObject({
    type: z.literal("resumed"),
    interruptedAt: text,
    resumedAt: text,
    blocks: count,
    steps: count.optional(),
    effort,
  }),
]);
