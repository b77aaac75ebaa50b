import type { Backend } from "../backend/backend.ts";
import type { BackendOptions } from "../backend/registry.ts";
import { exists, joinPath, runInHelper } from "../platform/node.ts";
import type { QuantizeOptions } from "../recipe/quantize-options.ts";
import type { TrainConfigInput } from "../train/pretrain-config.ts";
import type { PointWork } from "./recipe/expanded-point.ts";
import { finishCommit } from "../run/output/resumable-output.ts";
import { readCheckpointRecord } from "./recipe/given-checkpoints.ts";
import type { CheckpointRecord } from "./results/sweep-results.ts";

/** A checkpoint to be made by another process. */
export type MakeOrder =
  | {
      readonly type: "quantize";
      readonly model: string;
      readonly options: QuantizeOptions & BackendOptions;
    }
  | {
      readonly type: "train";
      readonly config: TrainConfigInput;
      readonly options: { readonly out: string } & BackendOptions;
    };

/** What that process reports while it runs. */
export type MakeNews =
  | { readonly type: "stage"; readonly stage: number; readonly of: number }
  | { readonly type: "notice"; readonly message: string }
  | { readonly type: "progress"; readonly activity: string; readonly fraction: number };

/** How a checkpoint is made. */
export interface MakeOptions {
  readonly backend: Backend;
  /** The module that the process runs. */
  readonly helper: string;
  /** Folder of what the points of a sweep have in common. */
  readonly sharedFolder: string;
  readonly signal: AbortSignal;
  /** Says what is being done, and which share of the whole is done, 0 to 1. */
  readonly onProgress: (activity: string, share: number) => void;
  readonly onNotice: (message: string) => void;
}

/**
 * Quantizes or trains as the work on a point says into `out`, in a process of its own, resuming
 * what an interrupted one had done. The folder has its name when it is whole, and the name stands
 * for all that it depends on: one that is there is done.
 */
export async function makeCheckpoint(
  work: PointWork,
  out: string,
  { backend, helper, sharedFolder, signal, onProgress, onNotice }: MakeOptions,
): Promise<CheckpointRecord> {
  if (await exists(out)) {
    await finishCommit(out);
    return readCheckpointRecord(out);
  }
  const { id, threads } = backend;
  const order = orderOf(work, { out, backend: id, threads }, sharedFolder);
  const stage = { done: 0, of: 1 };
  return runInHelper<MakeOrder, MakeNews, CheckpointRecord>(helper, order, {
    signal,
    onNews: (news) => {
      if (news.type === "notice") onNotice(news.message);
      else if (news.type === "stage") Object.assign(stage, { done: news.stage - 1, of: news.of });
      else onProgress(news.activity, (stage.done + news.fraction) / stage.of);
    },
  });
}

function orderOf(
  { model, recipe, training }: PointWork,
  options: { readonly out: string; readonly backend: string; readonly threads: number },
  sharedFolder: string,
): MakeOrder {
  if (training) return { type: "train", config: training, options } as MakeOrder;
  const { model: _, calibration, allocation, ...rest } = recipe ?? {};
  // A recipe is what the short forms of these options are spelled out to.
  const settled = {
    ...rest,
    ...(calibration && { calibration }),
    // What is measured for one target serves the others.
    ...(allocation && { allocation: { stateFile: stateFileIn(sharedFolder), ...allocation } }),
    ...options,
    sharedFolder,
  };
  return { type: "quantize", model, options: settled } as unknown as MakeOrder;
}

function stateFileIn(folder: string): string {
  return joinPath(folder, "allocation.json");
}
