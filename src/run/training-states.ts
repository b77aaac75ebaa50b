import { formatJson, readJsonObject } from "../formats/json-file.ts";
import { openSafetensors } from "../formats/safetensors.ts";
import { SafetensorsWriter } from "../formats/safetensors-writer.ts";
import { expectDType } from "../formats/weight-file.ts";
import {
  exists,
  joinPath,
  listDirectory,
  makeDirectories,
  remove,
  sha256,
  sha256OfFile,
  syncDirectory,
  writeBeside,
  writeText,
} from "../platform/node.ts";
import {
  fillTensor,
  readFloats,
  type TrainingProgress,
  type TrainingStore,
  type TrainingTensors,
} from "../training/training-store.ts";
import { expectShape } from "../tensor/shape.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { progressSchema } from "./record-schema.ts";
import { compareIdentities, type RunIdentity } from "./identity.ts";

/** Version of the state files; states of another one are of another program. */
const stateVersion = 1;
/** Elements of a tensor that are copied at a time. */
const elementsAtOnce = 2 ** 22;
/** States that are kept: one to resume from, and the one before it. */
const keptStates = 2;

/** What stands in `state-<step>.json`. */
interface StateDocument {
  readonly version: number;
  readonly identity: RunIdentity;
  readonly progress: TrainingProgress;
  /** SHA-256 of the tensors' file, and of `progress` as JSON. */
  readonly tensorsHash: string;
  readonly progressHash: string;
}

/**
 * States of a training in a folder: `state-<step>.safetensors` with parameters and moments, in
 * float32, and `state-<step>.json`. Both are written under other names first, made durable and
 * renamed, the JSON last: what it names is whole. A state whose hashes do not agree is skipped
 * for the one before it.
 */
export class TrainingStates implements TrainingStore {
  readonly path: string;
  private readonly identity: RunIdentity;
  private readonly onSafe: ((step: number) => Promise<void>) | undefined;

  /** `identity`: what the values of the run depend on; `onSafe` hears of each durable state. */
  constructor(path: string, identity: RunIdentity, onSafe?: (step: number) => Promise<void>) {
    this.path = path;
    this.identity = identity;
    this.onSafe = onSafe;
  }

  /** Reads what the newest whole state says of the run, without tensors; null without one. */
  async progress(): Promise<TrainingProgress | null> {
    for (const step of await this.steps()) {
      const document = await this.readDocument(step);
      if (document) return document.progress;
    }
    return null;
  }

  async read(tensors: TrainingTensors): Promise<TrainingProgress | null> {
    for (const step of await this.steps()) {
      const document = await this.readDocument(step);
      if (!document || compareIdentities(document.identity, this.identity).length > 0) continue;
      const path = this.file(step, "safetensors");
      if (!(await exists(path)) || (await sha256OfFile(path)) !== document.tensorsHash) continue;
      await fillTensors(path, tensors);
      return document.progress;
    }
    return null;
  }

  async write(progress: TrainingProgress, tensors: TrainingTensors): Promise<void> {
    const { step } = progress;
    await makeDirectories(this.path);
    const tensorsHash = await writeBeside(this.file(step, "safetensors"), async (beside) => {
      await writeTensors(beside, tensors);
      return sha256OfFile(beside);
    });
    const document: StateDocument = {
      version: stateVersion,
      identity: this.identity,
      progress,
      tensorsHash,
      progressHash: hashOf(progress),
    };
    await writeText(this.file(step, "json"), formatJson(document));
    await syncDirectory(this.path);
    await this.removeOld();
    await this.onSafe?.(step);
  }

  private file(step: number, extension: string): string {
    return joinPath(this.path, `state-${String(step).padStart(8, "0")}.${extension}`);
  }

  /** Steps of the states that there are, the newest first. */
  private async steps(): Promise<number[]> {
    if (!(await exists(this.path))) return [];
    const names = (await listDirectory(this.path)).map(({ name }) => name);
    return names
      .flatMap((name) => /^state-(\d+)\.json$/.exec(name)?.slice(1) ?? [])
      .map(Number)
      .sort((a, b) => b - a);
  }

  private async readDocument(step: number): Promise<StateDocument | null> {
    try {
      const found: unknown = await readJsonObject(this.file(step, "json"));
      const document = found as StateDocument;
      if (document.version !== stateVersion) return null;
      if (!progressSchema.safeParse(document.progress).success) return null;
      return hashOf(document.progress) === document.progressHash ? document : null;
    } catch {
      return null;
    }
  }

  private async removeOld(): Promise<void> {
    const kept = new Set((await this.steps()).slice(0, keptStates));
    for (const { name } of await listDirectory(this.path)) {
      const step = /^state-(\d+)\./.exec(name)?.[1];
      if (step !== undefined && !kept.has(Number(step))) await remove(joinPath(this.path, name));
    }
  }
}

function hashOf(progress: TrainingProgress): string {
  return sha256(JSON.stringify(progress));
}

/** Runs of a tensor's elements, few enough to be copied, and where they begin in its file. */
function* partsOf(
  tensor: Tensor<"f32" | "bf16">,
): Iterable<{ readonly part: Tensor<"f32" | "bf16">; readonly byteOffset: number }> {
  const flat = tensor.reshape([tensor.size]);
  for (let from = 0; from < flat.size; from += elementsAtOnce) {
    const part = flat.slice(from, Math.min(flat.size, from + elementsAtOnce));
    yield { part, byteOffset: 4 * from };
  }
}

async function writeTensors(path: string, tensors: TrainingTensors): Promise<void> {
  const entries = [...tensors].map(([name, { shape }]) => ({ name, dtype: "f32" as const, shape }));
  const writer = await SafetensorsWriter.create(path, entries);
  try {
    for (const [name, tensor] of tensors) {
      for (const { part, byteOffset } of partsOf(tensor)) {
        await writer.write(name, await readFloats(part), byteOffset);
      }
    }
    await writer.finish();
  } catch (error) {
    await writer.close().catch(() => undefined);
    throw error;
  }
}

async function fillTensors(path: string, tensors: TrainingTensors): Promise<void> {
  const file = await openSafetensors(path);
  try {
    for (const [name, tensor] of tensors) {
      const info = file.info(name);
      expectDType(info, "f32");
      expectShape(`state of ${name}`, info.shape, tensor.shape);
      for (const { part, byteOffset } of partsOf(tensor)) {
        const values = new Float32Array(part.size);
        await file.readInto(name, new Uint8Array(values.buffer), byteOffset);
        fillTensor(part, values);
      }
    }
  } finally {
    await file.close();
  }
}
