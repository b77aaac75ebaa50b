import { copyInto } from "../tensor/ops.ts";
import { Tensor } from "../tensor/tensor.ts";
import { bfloatsToFloats } from "../util/half.ts";

/** A measurement on held-out data. */
export interface Validation {
  /** Steps that were done when it was made. */
  readonly step: number;
  readonly loss: number;
}

/** What a run has behind it. */
export interface TrainingProgress {
  /** Steps done. */
  readonly step: number;
  /** Mean loss of every step so far. */
  readonly losses: readonly number[];
  readonly validations: readonly Validation[];
  /** Time at work, in milliseconds, that of interrupted runs included. */
  readonly elapsedMs: number;
}

/** Tensors of a run by name: parameters and moments. */
export type TrainingTensors = ReadonlyMap<string, Tensor<"f32" | "bf16">>;

/** Where a run keeps its state: supplied by a caller that knows files. */
export interface TrainingStore {
  /**
   * Fills the tensors with the newest state that is whole, and returns what was done by then; null,
   * the tensors untouched, when there is none.
   */
  read(tensors: TrainingTensors): Promise<TrainingProgress | null>;
  /** Keeps a state: durable when it resolves, and until then the state before it is. */
  write(progress: TrainingProgress, tensors: TrainingTensors): Promise<void>;
}

/** A store that forgets when the process ends. */
export class MemoryStore implements TrainingStore {
  private progress: TrainingProgress | null = null;
  private readonly values = new Map<string, Float32Array>();

  async read(tensors: TrainingTensors): Promise<TrainingProgress | null> {
    if (!this.progress) return null;
    for (const [name, tensor] of tensors) {
      const values = this.values.get(name);
      if (values) fillTensor(tensor, values);
    }
    return this.progress;
  }

  async write(progress: TrainingProgress, tensors: TrainingTensors): Promise<void> {
    for (const [name, tensor] of tensors) this.values.set(name, await readFloats(tensor));
    this.progress = progress;
  }
}

/** Overwrites a tensor with values of its dtype. */
export function fillTensor(tensor: Tensor<"f32" | "bf16">, values: Float32Array): void {
  copyInto(tensor, Tensor.from(tensor.backend, "f32", tensor.shape, values));
}

/** Reads the values of a tensor as float32. */
export async function readFloats(tensor: Tensor<"f32" | "bf16">): Promise<Float32Array> {
  const values = await tensor.read();
  return values instanceof Float32Array ? values : bfloatsToFloats(values);
}
