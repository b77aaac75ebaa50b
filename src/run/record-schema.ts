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

/** How the scheme of each layer was chosen. */
export const allocationSchema = z.looseObject({
  measure: z.string(),
  search: z.string(),
  trials: count,
  bitsPerWeight: z.number(),
  sizeBytes: z.number(),
  embedding: z.string().nullable(),
  head: z.string().nullable(),
  items: z.array(
    z.looseObject({
      name: z.string(),
      block: count,
      weights: z.number(),
      scheme: z.string(),
      options: z.array(
        z.looseObject({ scheme: z.string(), bytes: z.number(), damage: z.number() }),
      ),
    }),
  ),
  uniform: z
    .looseObject({
      scheme: z.string(),
      windows: count,
      written: z.enum(["allocated", "uniform"]),
      divergence: z.object({ allocated: z.number(), uniform: z.number() }),
      difference: z.looseObject({
        estimate: z.number(),
        interval: z.looseObject({ low: z.number(), high: z.number() }),
      }),
    })
    .optional(),
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
