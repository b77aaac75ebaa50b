import type { Backend } from "../backend/backend.ts";
import type { BackendOptions } from "../backend/registry.ts";
import { readJsonObject } from "../formats/json-file.ts";
import { exists, joinPath, runInHelper } from "../platform/node.ts";
import type { QuantizeOptions } from "../recipe/quantize-options.ts";
import type { RecipeInput } from "../recipe/recipe.ts";
import type { RunRecord } from "../run/run-record.ts";

/** A checkpoint to be made by another process. */
export interface MakeOrder {
  readonly model: string;
  readonly options: QuantizeOptions & BackendOptions;
}

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
 * Quantizes as a recipe says into `out`, in a process of its own, resuming what an interrupted one
 * left. The folder has its name when it is whole, and the name stands for all that it depends on:
 * one that is there is done.
 */
export async function makeCheckpoint(
  recipe: RecipeInput,
  out: string,
  { backend, helper, sharedFolder, signal, onProgress, onNotice }: MakeOptions,
): Promise<RunRecord> {
  if (await exists(out)) {
    return (await readJsonObject(joinPath(out, "run.json"))) as unknown as RunRecord;
  }
  const { model, calibration, ...rest } = recipe;
  const { id, threads } = backend;
  // A recipe is what the short forms of these options are spelled out to.
  const options = {
    ...rest,
    ...(calibration && { calibration }),
    out,
    sharedFolder,
    backend: id,
    threads,
  } as unknown as MakeOrder["options"];
  const stage = { done: 0, of: 1 };
  return runInHelper<MakeOrder, MakeNews, RunRecord>(
    helper,
    { model, options },
    {
      signal,
      onNews: (news) => {
        if (news.type === "notice") onNotice(news.message);
        else if (news.type === "stage") Object.assign(stage, { done: news.stage - 1, of: news.of });
        else onProgress(news.activity, (stage.done + news.fraction) / stage.of);
      },
    },
  );
}
