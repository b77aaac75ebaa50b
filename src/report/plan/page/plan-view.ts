import {
  type Consequences,
  consequencesOf,
  type Fit,
  fitInto,
  rooflineSpeeds,
  type RunChoice,
  type Speeds,
} from "../../../machines/consequences.ts";
import type { ModelShape } from "../../../machines/model-shape.ts";
import type { PlanMachine } from "../../../machines/plan-model.ts";
import { predictSpeeds } from "../../../machines/predict-speed.ts";
import type { FloatStorage } from "../../../machines/storage.ts";
import type { KvCacheDType } from "../../../nn/kv-cache.ts";
import { usualTableScheme } from "../../../quant/usual-table-scheme.ts";
import { FewbitError } from "../../../util/errors.ts";
import type { Plot, PlotPoint, PlotTick } from "../../chart/plot.ts";
import { formatBytes, formatNumber, shortenDecimals } from "../../format.ts";
import { colourClass } from "../../palette.ts";
import { logScale } from "../../chart/scale.ts";

/** What a page carries: the model, and the machines it may run on. */
export interface PlanPageData {
  readonly shape: ModelShape;
  readonly floats: FloatStorage;
  readonly machines: readonly PlanMachine[];
}

/** Bits of the linear layers that can be chosen; 16 stands for floats as they are. */
export const bitChoices = [16, 8, 4, 3, 2, 1.58, 1] as const;
/** Columns that share a scale; null for a scale a row. */
export const groupChoices = [32, 64, 128, null] as const;
/** Bits of the tables of the vocabulary. */
export const tableChoices = [16, 8, 4] as const;

/** What the reader has chosen. */
export interface PlanSettings {
  readonly bits: number;
  readonly group: number | null;
  readonly embedding: number;
  readonly head: number;
  readonly kvCache: KvCacheDType;
  readonly context: number;
  readonly machine: string;
}

/** All that follows from what was chosen. */
export interface PlanView extends Consequences {
  readonly scheme: string;
  readonly machine: PlanMachine;
  /** Null where the machine's kernels were timed, and none like these. */
  readonly speeds: Speeds | null;
  readonly fit: Fit;
}

/** The id of the scheme of some bits and a group. */
function schemeOf(bits: number, group: number | null, floats: FloatStorage): string {
  if (bits === 16) return floats;
  return `w${bits}${group === null ? "" : `g${group}`}`;
}

/** The id of the scheme of embedding or head. */
function tableSchemeOf(bits: number, floats: FloatStorage): string {
  return bits === 8 ? usualTableScheme : schemeOf(bits, 64, floats);
}

/** Turns settings into what the formulas take. */
function runOf({ shape, floats }: PlanPageData, settings: PlanSettings): RunChoice {
  const { bits, group, kvCache, context } = settings;
  const embedding = tableSchemeOf(settings.embedding, floats);
  const head = tableSchemeOf(shape.tied ? settings.embedding : settings.head, floats);
  const linear = schemeOf(bits, group, floats);
  return { storage: { linear, embedding, head, others: floats }, kvCache, context };
}

/** Follows settings down to all figures. */
export function planView(data: PlanPageData, settings: PlanSettings): PlanView {
  const run = runOf(data, settings);
  const machine =
    data.machines.find(({ id }) => id === settings.machine) ?? (data.machines[0] as PlanMachine);
  return {
    ...consequencesOf(data.shape, run, machine.energy),
    scheme: run.storage.linear,
    machine,
    speeds: speedsOf(data.shape, run, machine),
    fit: fitInto(data.shape, run, machine.memoryBytes),
  };
}

function speedsOf(shape: ModelShape, run: RunChoice, machine: PlanMachine): Speeds | null {
  const { table, threads, limits } = machine;
  if (!table) return rooflineSpeeds(shape, run, limits);
  try {
    return predictSpeeds(table, shape, run, threads === undefined ? {} : { threads });
  } catch (error) {
    if (error instanceof FewbitError) return null;
    throw error;
  }
}

/** Speed over memory of all bits with these settings; the chosen one stands out. */
export function planPlot(data: PlanPageData, settings: PlanSettings): Plot {
  const views = bitChoices.map((bits) => ({ bits, ...planView(data, { ...settings, bits }) }));
  const timed = views.flatMap((view) =>
    view.speeds ? [{ ...view, speed: view.speeds.decode }] : [],
  );
  const unit = [0, 1] as const;
  const across = logScale(
    timed.map((view) => view.memory.all),
    unit,
  );
  const up = logScale(
    timed.map((view) => view.speed),
    unit,
  );
  const points = timed.map((view): PlotPoint => {
    const name = view.bits === 16 ? "16 bits" : view.scheme;
    return {
      id: view.scheme,
      x: across.position(view.memory.all),
      y: up.position(view.speed),
      whisker: null,
      colour: colourClass(view.bits),
      shape: view.bits === settings.bits ? "circle" : "square",
      label: name,
      faded: view.bits !== settings.bits,
      near: true,
      title: `${name}\n${formatBytes(view.memory.all)}\n${formatNumber(view.speed)} tokens a second`,
    };
  });
  return {
    x: {
      title: "memory",
      ticks: across.ticks.map(
        (value): PlotTick => ({
          at: across.position(value),
          label: shortenDecimals(formatBytes(value)),
        }),
      ),
    },
    y: {
      title: "tokens a second",
      ticks: up.ticks.map((value): PlotTick => ({ at: up.position(value), label: `${value}` })),
    },
    lines: [
      {
        kind: "front",
        colour: "",
        places: points.map((point) => [point.x, point.y] as const),
      },
    ],
    points,
    side: "right",
  };
}
