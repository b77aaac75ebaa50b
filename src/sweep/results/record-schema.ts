import { z } from "zod";
import { FormatError } from "../../util/errors.ts";
import { parseValue } from "../../util/parse-value.ts";
import type { PointRecord } from "./sweep-results.ts";

/*
 * What is known of a point, as others may have written it: reports and analyses read all of these
 * fields. Fields that are not named are let through.
 */

/** Any number but NaN: a perplexity may be infinite. */
const number = z.custom<number>(
  (value) => typeof value === "number" && !Number.isNaN(value),
  "expected a number",
);
const text = z.string();
const count = z.int().nonnegative();
const numbers = z.custom<readonly number[]>(
  (value) => Array.isArray(value) && value.every((each) => typeof each === "number"),
  "expected a list of numbers",
);
const marks = z.string().regex(/^[01]*$/, "expected a text of 0 and 1");

const interval = z.looseObject({ low: number, high: number, level: number });
const accuracy = z.looseObject({
  mean: number,
  standardError: number,
  interval: interval.optional(),
});

const point = z.looseObject({
  id: text,
  model: text,
  label: text,
  method: text.nullable(),
  preset: text.nullable(),
  scheme: text.nullable(),
  bits: number,
  seed: number,
});

const divergence = z.looseObject({
  mean: number,
  interval: interval.nullable(),
  percentile99: number,
  percentile99Interval: interval.nullish(),
  maximum: number,
  windowMeans: numbers,
});

const textFigures = z
  .looseObject({
    name: text,
    sha256: text,
    protocol: z.enum(["windows", "second-half"]),
    window: count,
    windows: count,
    tokens: count,
    tokensSha256: text,
    perplexity: number,
    interval: interval.nullable(),
    windowLosses: numbers,
    klDivergence: divergence.nullable(),
    topTokenAgreement: number.nullable(),
  })
  .refine(({ windows, windowLosses }) => windowLosses.length === windows, {
    path: ["windowLosses"],
    message: "expected as many losses as there are windows",
  })
  .refine(
    ({ windows, klDivergence }) => (klDivergence?.windowMeans.length ?? windows) === windows,
    {
      path: ["klDivergence", "windowMeans"],
      message: "expected as many means as there are windows",
    },
  );

const taskFigures = z
  .looseObject({
    name: text,
    sha256: text,
    shots: count,
    items: count,
    accuracy,
    normalizedAccuracy: accuracy.nullable(),
    chance: number,
    accuracyAboveChance: number,
    right: marks,
    rightNormalized: marks.nullable(),
  })
  .refine(({ items, right }) => right.length === items, {
    path: ["right"],
    message: "expected a mark for each item",
  })
  .refine(({ items, rightNormalized }) => (rightNormalized?.length ?? items) === items, {
    path: ["rightNormalized"],
    message: "expected a mark for each item",
  });

const continuationMean = z.looseObject({ mean: number, interval: interval.nullable() });

const generation = z.looseObject({
  promptSet: text.nullable(),
  promptsSha256: text,
  maxTokens: count,
  temperature: number,
  seed: number,
  repetition: continuationMean,
  loops: continuationMean,
  distinct: z.looseObject({
    one: number.nullable(),
    two: number.nullable(),
    three: number.nullable(),
  }),
  length: continuationMean,
  ended: continuationMean,
  klDivergence: continuationMean.nullable(),
  reproduced: z.looseObject({ share: continuationMean, tokens: number }).nullable(),
  continuations: z.array(
    z.looseObject({
      prompt: text,
      text,
      tokens: count,
      ended: z.boolean(),
      repetition: number,
      loop: count.nullable(),
      klDivergence: number.nullable(),
      reproduced: z.looseObject({ tokens: count, share: number }).nullable(),
    }),
  ),
});

const allocation = z.looseObject({
  targets: z.record(text, number),
  measure: text,
  search: text,
  trials: count,
  bitsPerWeight: number,
  items: z.array(z.looseObject({ name: text, block: count, scheme: text, bits: number })),
});

const result = z.looseObject({
  parameters: number,
  sizeBytes: number,
  linearBytes: number,
  bitsPerWeight: z.looseObject({ linear: number, file: number }),
  peakMemoryBytes: number.nullable(),
  tokensPerSecond: number.nullable(),
  makeMs: number.nullable(),
  makeProcessorMs: number.nullish(),
  evaluationMs: number,
  texts: z.array(textFigures),
  tasks: z.array(taskFigures),
  averages: z.array(
    z.looseObject({ name: text, tasks: z.array(text), accuracy, accuracyAboveChance: number }),
  ),
  generation: generation.optional(),
  samples: z.array(z.looseObject({ prompt: text, continuation: text })).optional(),
  allocation: allocation.optional(),
  backend: z.looseObject({ id: text, level: text, threads: count }),
});

const machine = z.looseObject({
  system: text,
  architecture: text,
  processor: text,
  cores: number,
  memoryBytes: number,
  runtime: text,
});

const pointRecord = z
  .looseObject({
    point,
    status: z.enum(["waiting", "running", "done", "failed"]),
    attempts: count,
    error: z.looseObject({ code: text, message: text, hint: text.optional() }).nullable(),
    command: text.nullable(),
    fewbit: text.nullable(),
    machine: machine.nullable(),
    startedAt: text.nullable(),
    finishedAt: text.nullable(),
    result: result.nullable(),
    run: z.looseObject({}).nullable(),
  })
  .refine(({ status, result: found }) => status !== "done" || found !== null, {
    path: ["result"],
    message: "expected the result of a point that is done",
  });

/** Checks what is known of a point. @throws FormatError: what begins with `where`, the field */
export function expectPointRecord(value: unknown, where: string, hint: string): PointRecord {
  const checked: unknown = parseValue(pointRecord, value, ({ text: fault, ...rest }) => {
    return new FormatError(`${where} is malformed: ${fault}`, {
      hint,
      field: rest.field,
      value: rest.value,
    });
  });
  return checked as PointRecord;
}
