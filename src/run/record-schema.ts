import { z } from "zod";

/*
 * What others count on of records that an earlier run left: of its result in `run.json`, and of the
 * states of its training. Figures that are not a number stand as null in JSON.
 */

const count = z.int().nonnegative();
const figure = z.number().nullable();
const list = z.array(z.looseObject({}));

/** How far a training has come, as its states say. */
export const progressSchema = z
  .looseObject({
    step: count,
    losses: z.array(z.number()),
    validations: z.array(z.looseObject({ step: count, loss: figure })),
    elapsedMs: z.number().nonnegative(),
  })
  .refine(({ step, losses }) => losses.length === step);

/** The record of a run that makes a checkpoint. */
export const recordSchema = z.looseObject({
  identity: z.string(),
  startedAt: z.string(),
  elapsedMs: z.number(),
  peakMemoryBytes: z.number(),
  sizeBytes: z.number(),
  resumptions: list,
});

/** The record of a quantization. */
export const quantizationSchema = recordSchema.extend({
  recipe: z.looseObject({}),
  transforms: list,
  linears: z.array(
    z.looseObject({
      module: z.string(),
      slot: z.string(),
      scheme: z.string(),
      weights: count,
      relativeError: figure,
    }),
  ),
  blocks: list,
  ends: list,
  fallbacks: z.array(z.string()),
  bitsPerWeight: z.object({ linear: z.number(), file: z.number() }),
});
