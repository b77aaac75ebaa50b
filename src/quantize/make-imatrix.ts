import type { Backend } from "../backend/backend.ts";
import { ActivationCache } from "../blocks/activations.ts";
import { gatherInputs } from "../blocks/gather-inputs.ts";
import type { LayerInputs } from "../calibration/statistics/layer-inputs.ts";
import { GgufNames } from "../formats/gguf/tensor-names.ts";
import type { ImatrixEntry } from "../formats/imatrix/imatrix.ts";
import { writeImatrix } from "../formats/imatrix/write-imatrix.ts";
import { type ResolveOptions, resolveModel } from "../hub/resolve-model.ts";
import type { Block } from "../nn/quantizable-model.ts";
import { baseName, exists, writeBeside } from "../platform/node.ts";
import { settleCalibration } from "../recipe/parse-recipe.ts";
import { calibrationSchema, type RecipeInput } from "../recipe/recipe.ts";
import { readWindows } from "../run/collect-windows.ts";
import { type OpenedModel, openModel } from "../runtime/load.ts";
import { throwIfCancelled, UsageError } from "../util/errors.ts";

/** What importance is measured on, and where it is written. */
export interface ImatrixOptions {
  /** The file to write, in llama.cpp's GGUF form. */
  readonly out: string;
  readonly calibration: NonNullable<RecipeInput["calibration"]>;
  /** Replace a file that is there already. */
  readonly overwrite?: boolean;
  readonly signal?: AbortSignal | undefined;
  /** Says how many blocks are measured. */
  readonly onBlock?: ((done: number, blocks: number) => void) | undefined;
}

/** What was written. */
export interface ImatrixResult {
  readonly out: string;
  /** Weights whose columns were measured. */
  readonly weights: number;
  readonly windows: number;
  readonly window: number;
  /** Weights of which some columns had no inputs but 0. */
  readonly unseen: readonly string[];
}

/**
 * Measures the importance of the columns of all linear layers in blocks: sums of the squares of
 * their inputs over calibration text. One pass through the model, as it is: what is interrupted
 * begins anew. The file appears when it is whole.
 * @throws UsageError when the file is there, or there is no text
 */
export async function makeImatrix(
  source: string,
  options: ImatrixOptions & ResolveOptions & { readonly backend: Backend },
): Promise<ImatrixResult> {
  const { out, overwrite = false, backend, onNotice } = options;
  if (!overwrite && (await exists(out))) {
    throw new UsageError(`${out} exists already`, { hint: "use `overwrite`", field: "out" });
  }
  const resolved = await resolveModel(source, options);
  const opened = await openModel(resolved.directory, { ...resolved, backend, onNotice });
  try {
    const parsed = calibrationSchema.parse(options.calibration);
    const calibration = settleCalibration(parsed, opened.config.contextLength);
    if (!calibration || calibration.files.length === 0) throw withoutText();
    const text = await readWindows(opened, { calibration, seed: 0 }, false);
    if (!text) throw withoutText();
    if (text.notice) onNotice?.(text.notice);
    const { windows } = text;
    const { entries, unseen } = await measureAll(opened, windows, options);
    const datasets = calibration.files.map(({ path }) => baseName(path));
    const chunks = { chunkCount: windows.length, chunkSize: calibration.window };
    await writeBeside(out, (beside) => writeImatrix(beside, { datasets, ...chunks, entries }));
    const { window } = calibration;
    return { out, weights: entries.size, windows: windows.length, window, unseen };
  } finally {
    await opened.checkpoint.close();
  }
}

function withoutText(): UsageError {
  return new UsageError("importance is measured on text, and none was given", {
    hint: "name a text or JSONL file (`calibration: FILE`)",
    field: "calibration",
  });
}

interface Measured {
  readonly entries: Map<string, ImatrixEntry>;
  readonly unseen: string[];
}

async function measureAll(
  { model, config }: OpenedModel,
  windows: readonly Int32Array[],
  { backend, signal, onBlock }: ImatrixOptions & { readonly backend: Backend },
): Promise<Measured> {
  const measured: Measured = { entries: new Map(), unseen: [] };
  const names = new GgufNames(config.names);
  const activations = await ActivationCache.embed(backend, model, windows);
  try {
    for (let index = 0; index < model.blockCount; index++) {
      throwIfCancelled(signal);
      const block = await model.loadBlock(index);
      const gathering = { slots: block.slots, statistics: ["energies"] } as const;
      const inputs = await gatherInputs(block, { model, signal }, activations, gathering);
      await addBlock(measured, names, block, inputs);
      inputs.release();
      if (index + 1 < model.blockCount) await activations.advance(model, block, signal);
      model.releaseBlock(block);
      onBlock?.(index + 1, model.blockCount);
    }
  } finally {
    await activations.release();
  }
  return measured;
}

async function addBlock(
  { entries, unseen }: Measured,
  names: GgufNames,
  block: Block,
  inputs: LayerInputs,
): Promise<void> {
  const experts = block.experts?.length ?? 0;
  const measured = new Map<string, ImatrixEntry>();
  for (const slot of block.slots) {
    const module = `${block.name}.${slot.name}`;
    const { name: own = module, expert = null } = names.place(module) ?? {};
    const energies = inputs.of(slot)?.energies;
    if (!energies && expert === null) continue;
    const name = `${own}.weight`;
    const columns = slot.layer.inFeatures;
    const count = expert === null ? 1 : experts;
    const entry = measured.get(name) ?? {
      sums: new Float32Array(count * columns),
      counts: new Float32Array(count),
    };
    measured.set(name, entry);
    if (!energies) continue;
    entry.sums.set(await energies.sums(), (expert ?? 0) * columns);
    entry.counts[expert ?? 0] = energies.tokens;
  }
  for (const [name, entry] of measured) {
    entries.set(name, entry);
    if (entry.sums.some((sum) => sum === 0)) unseen.push(name);
  }
}
