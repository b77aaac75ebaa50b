import type { TrainPlan } from "../train/pretrain-events.ts";
import type { TrainRecord } from "../train/pretrain-record.ts";
import { describeFit } from "./describe-fit.ts";
import { figures } from "../evaluation/figures.ts";
import {
  formatBytes,
  formatCount,
  formatDuration,
  formatNumber,
  formatPlural,
  printable,
} from "./format.ts";
import { figureText } from "./format-figure.ts";
import { joinParts } from "./plan-summary.ts";
import type { Layout } from "./style.ts";

/** Says in two lines what a training will do and what it needs. */
export function formatTrainPlan(plan: TrainPlan, layout: Layout): string[] {
  const { parameters, vocabularySize, steps, tokensPerStep, textTokens, epochs } = plan;
  const model = [
    `${formatCount(parameters)} parameters`,
    `${formatCount(vocabularySize)} tokens in the vocabulary`,
    `text of ${formatCount(textTokens)} tokens`,
  ];
  const work = [
    `${formatPlural(steps, "step")} of ${formatCount(tokensPerStep)} tokens`,
    `${formatNumber(epochs)} epochs`,
    plan.precision,
    `needs about ${formatBytes(plan.memoryBytes)} memory${describeFit(plan.fit)}`,
    `state kept every ${formatPlural(plan.checkpointEvery, "step")}`,
  ];
  return [...joinParts(model, layout), ...joinParts(work, layout)];
}

/** Summarizes a finished training: losses, time and speed, size, and its place. */
export function formatTrainSummary(record: TrainRecord, out: string, layout: Layout): string[] {
  const { losses, validations } = record;
  const last = losses.at(-1);
  const measured = validations.at(-1);
  const quality = [
    ...(last ? [`training loss ${formatNumber(last.loss, 4)}`] : []),
    ...(measured
      ? [
          `validation loss ${formatNumber(measured.loss, 4)}`,
          `perplexity ${formatNumber(Math.exp(measured.loss), 4)}`,
        ]
      : []),
  ];
  const cost = [
    `done in ${formatDuration(record.elapsedMs)}`,
    `${formatCount(Math.round(record.tokensPerSecond))} tokens/s`,
    `peak memory ${figureText(figures.memory, record)}`,
  ];
  const place = [
    `${formatCount(record.parameters)} parameters`,
    `${formatBytes(record.sizeBytes)} in ${record.config.dtype}`,
    `checkpoint, run.json and loss.svg in ${printable(out)}`,
  ];
  return [quality, cost, place].flatMap((parts) => joinParts(parts, layout));
}
