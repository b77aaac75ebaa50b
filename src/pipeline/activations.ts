import type { Backend } from "../backend/backend.ts";
import type { Block, QuantizableModel } from "../nn/quantizable-model.ts";
import { sha256 } from "../platform/node.ts";
import { Tensor } from "../tensor/tensor.ts";
import { throwIfCancelled } from "../util/errors.ts";

const tokensPerPass = 2048;

/**
 * The residual stream of all calibration windows in front of the block at work: f32 tensors
 * `[windows, length, hiddenSize]`, a few windows each.
 */
export class ActivationCache {
  /** Calibration tokens in all. */
  readonly tokens: number;
  private batches: Tensor<"f32">[];

  private constructor(batches: Tensor<"f32">[], tokens: number) {
    this.batches = batches;
    this.tokens = tokens;
  }

  /** Embeds windows of equal length. */
  static embed(
    backend: Backend,
    model: QuantizableModel,
    windows: readonly Int32Array[],
  ): ActivationCache {
    const length = windows[0]?.length ?? 0;
    const perPass = Math.max(1, Math.floor(tokensPerPass / length));
    const batches: Tensor<"f32">[] = [];
    for (let first = 0; first < windows.length; first += perPass) {
      const group = windows.slice(first, first + perPass);
      const ids = new Int32Array(group.length * length);
      group.forEach((window, row) => ids.set(window, row * length));
      batches.push(model.embed(Tensor.from(backend, "i32", [group.length, length], ids)));
    }
    return new ActivationCache(batches, windows.length * length);
  }

  /** All batches, `[windows, length, hiddenSize]` each; they live until the next `advance`. */
  get all(): readonly Tensor<"f32">[] {
    return this.batches;
  }

  /** Runs each batch through a block and keeps what comes out. */
  async advance(model: QuantizableModel, block: Block, signal?: AbortSignal): Promise<void> {
    for (const [i, batch] of this.batches.entries()) {
      throwIfCancelled(signal);
      const next = model.forwardBlock(block, batch, { position: 0 });
      if (next) {
        this.batches[i] = next;
        batch.release();
      }
      await next?.backend.synchronize();
    }
  }

  /** Calls `visit` with each batch, waiting for the work that it enqueued. */
  async forEach(visit: (batch: Tensor<"f32">) => void, signal?: AbortSignal): Promise<void> {
    for (const batch of this.batches) {
      throwIfCancelled(signal);
      visit(batch);
      await batch.backend.synchronize();
    }
  }

  /** Hashes a part of the activations: whatever goes wrong on the way to them shows in any part. */
  async fingerprint(): Promise<string> {
    const values = await this.batches[0]?.read();
    return sha256(new Uint8Array(values?.buffer ?? [], values?.byteOffset, values?.byteLength));
  }

  /** Gives the memory back. */
  release(): void {
    for (const batch of this.batches) batch.release();
    this.batches = [];
  }
}
