import { commonLength } from "../../util/common-length.ts";
import { meanOf } from "../../util/sums.ts";
import type { Interval } from "../statistics/interval.ts";
import { meanShareInterval } from "../statistics/share-intervals.ts";
import { windowInterval } from "../statistics/text-intervals.ts";
import { distinctShare } from "./distinct.ts";
import type {
  Continuation,
  ContinuationMean,
  GenerateChoice,
  GenerationFigures,
} from "./generation.ts";
import { type OpenedPrompts, settingsOf } from "./open-prompts.ts";
import { loopPeriod, repetitionRate } from "./repetition.ts";
import { saidTokens, type Written } from "./write-continuations.ts";

/** What continuations are described with. */
export interface DescribeOptions {
  readonly choice: GenerateChoice;
  readonly opened: OpenedPrompts;
  /** What the original wrote to the same prompts. */
  readonly kept?: { readonly written: readonly Written[] } | null;
  /** Mean divergence on each of the original's continuations. */
  readonly divergences?: readonly number[] | null;
}

/** Makes the figures of what a model wrote, one text a prompt. */
export function describeContinuations(
  written: readonly Written[],
  { choice, opened, kept = null, divergences = null }: DescribeOptions,
): GenerationFigures {
  const settings = settingsOf(choice);
  const texts = written.map(saidTokens);
  // Drawn texts differ by the draws.
  const followed = settings.temperature === 0 ? kept?.written : undefined;
  const continuations = written.map((each, index): Continuation => {
    const ids = texts[index];
    return {
      prompt: opened.prompts[index].text,
      text: each.text,
      tokens: ids.length,
      ended: each.ended,
      repetition: repetitionRate(ids),
      loop: loopPeriod(ids),
      klDivergence: divergences?.[index] ?? null,
      reproduced: followed ? reproducedOf(each, followed[index]) : null,
    };
  });
  return {
    promptSet: opened.set,
    promptsSha256: opened.sha256,
    ...settings,
    repetition: within(
      0,
      1,
      meanOver(continuations, ({ repetition }) => repetition),
    ),
    loops: shareOf(continuations, ({ loop }) => loop !== null),
    distinct: {
      one: distinctShare(texts, 1),
      two: distinctShare(texts, 2),
      three: distinctShare(texts, 3),
    },
    length: within(
      0,
      Infinity,
      meanOver(continuations, ({ tokens }) => tokens),
    ),
    ended: shareOf(continuations, ({ ended }) => ended),
    klDivergence:
      divergences &&
      within(
        0,
        Infinity,
        meanOver(continuations, (each) => each.klDivergence),
      ),
    reproduced: followed
      ? {
          share: within(
            0,
            1,
            meanOver(continuations, (each) => each.reproduced?.share),
          ),
          tokens: meanOf(continuations.map((each) => each.reproduced?.tokens ?? 0)),
        }
      : null,
    continuations,
  };
}

/** With what of the original's tokens, the last one included, a continuation begins. */
function reproducedOf(own: Written, original: Written): Continuation["reproduced"] {
  const tokens = commonLength(own.ids, original.ids);
  return { tokens, share: tokens / original.ids.length };
}

function meanOver(
  continuations: readonly Continuation[],
  read: (continuation: Continuation) => number | null | undefined,
): ContinuationMean {
  const values = continuations.map((each) => read(each) ?? Number.NaN);
  // Prompts are no neighbours of each other: each is drawn by itself.
  return { mean: meanOf(values), interval: windowInterval(values, { block: 1 }) };
}

function shareOf(
  continuations: readonly Continuation[],
  is: (continuation: Continuation) => boolean,
): ContinuationMean {
  const digits = continuations.map((each) => Number(is(each)));
  return { mean: meanOf(digits), interval: meanShareInterval([digits]) };
}

/** Keeps the ends of an interval within what the figure can be. */
function within(low: number, high: number, { mean, interval }: ContinuationMean): ContinuationMean {
  const clip = (end: number): number => Math.min(high, Math.max(low, end));
  const clipped: Interval | null = interval && {
    ...interval,
    low: clip(interval.low),
    high: clip(interval.high),
  };
  return { mean, interval: clipped };
}
