import { floatLinear } from "../nn/scale-channels.ts";
import type { Block, QuantizableModel } from "../nn/quantizable-model.ts";
import {
  allocateBuffer,
  type GrowingFile,
  joinPath,
  makeDirectories,
  openForGrowing,
  remove,
} from "../platform/node.ts";
import type { PlannedLinear } from "../run/plan.ts";
import { Tensor } from "../tensor/tensor.ts";
import { FewbitError } from "../util/errors.ts";
import { embedWindows, type GivenRows } from "./embed-windows.ts";
import { OriginalBlocks } from "./original-blocks.ts";
import { addSquaredGradients, gradientOfLoss } from "./weight-gradients.ts";

/** Tokens that go through the model together, forward; backward it is one window at a time. */
const tokensPerPass = 2048;

/** What sensitivities are measured on. */
export interface SensitivityWork {
  readonly model: QuantizableModel;
  /** Of one length. */
  readonly windows: readonly Int32Array[];
  /** Embeddings of images in the windows. */
  readonly given: GivenRows | null;
  /** Linears that will be quantized, of blocks that are not finished. */
  readonly linears: readonly Pick<PlannedLinear, "block" | "slot" | "outFeatures" | "inFeatures">[];
  /** A folder for the files. */
  readonly folder: string;
  readonly report: (activity: string) => void;
  readonly signal: AbortSignal | undefined;
}

/**
 * How much the loss depends on each weight: `Σ_windows (∂L/∂w)²`, L the cross-entropy of the next
 * tokens summed over a window. That is the diagonal of the empirical Fisher information, in units
 * that are the same for all weights of a model (SqueezeLLM, arXiv 2306.07629, section 4.1).
 *
 * They are those of the original. They lie in a file for each block; of the model a block is in
 * memory at a time, with the gradients of one window and the sums so far.
 */
export class Sensitivities {
  private readonly work: SensitivityWork;
  private readonly files = new Map<number, GrowingFile>();

  private constructor(work: SensitivityWork) {
    this.work = work;
  }

  /** Measures all: embedding and head of the original must be loaded. */
  static async measure(work: SensitivityWork): Promise<Sensitivities> {
    const { windows, folder } = work;
    await remove(folder);
    await makeDirectories(folder);
    const measured = new Sensitivities(work);
    try {
      const length = windows[0]?.length ?? 0;
      const perPass = Math.max(1, Math.floor(tokensPerPass / length));
      for (let first = 0; first < windows.length; first += perPass) {
        work.report(`gradients of window ${first + 1} of ${windows.length}`);
        await measured.addWindows(windows.slice(first, first + perPass));
      }
      return measured;
    } catch (error) {
      await measured.release();
      throw error;
    }
  }

  /** Those of a weight `[out, in]`; null where it was not measured. */
  async of(block: number, slot: string): Promise<Tensor<"f32"> | null> {
    const { backend } = this.work.model;
    let at = 0;
    for (const { slot: name, outFeatures, inFeatures } of this.linearsOf(block)) {
      const count = outFeatures * inFeatures;
      if (name === slot) {
        const values = new Float32Array(allocateBuffer(4 * count, "sensitivities"));
        await this.read(block, values, at);
        return Tensor.from(backend, "f32", [outFeatures, inFeatures], values);
      }
      at += 4 * count;
    }
    return null;
  }

  /** Gives the disk back. */
  async release(): Promise<void> {
    for (const file of this.files.values()) await file.close();
    this.files.clear();
    await remove(this.work.folder);
  }

  private linearsOf(index: number): SensitivityWork["linears"] {
    return this.work.linears.filter(({ block }) => block === index);
  }

  private async addWindows(windows: readonly Int32Array[]): Promise<void> {
    const { model, given, linears, signal } = this.work;
    const blocks = new OriginalBlocks(model, signal);
    const inputs = [await embedWindows(model.backend, model, windows, given)];
    for (let index = 0; index < model.blockCount; index++) {
      await blocks.with(index, (block) => void inputs.push(blocks.forward(block, inputs[index])));
    }
    const firstBlock = Math.min(...linears.map(({ block }) => block));
    let gradient = await gradientOfLoss(blocks, inputs[model.blockCount], windows);
    inputs[model.blockCount].release();
    for (let index = model.blockCount - 1; index >= firstBlock; index--) {
      await blocks.with(index, async (block) => {
        const before = await this.addBlock(blocks, block, {
          index,
          input: inputs[index],
          gradient,
        });
        gradient.release();
        gradient = before;
      });
      inputs[index].release();
    }
    for (const input of inputs.slice(0, firstBlock)) input.release();
    gradient.release();
  }

  /** Adds the squares of a block, and returns the gradient by its input. */
  private async addBlock(
    blocks: OriginalBlocks,
    block: Block,
    { index, input, gradient }: { index: number; input: Tensor<"f32">; gradient: Tensor<"f32"> },
  ): Promise<Tensor<"f32">> {
    const { backend } = blocks.model;
    const slots = this.linearsOf(index).map(({ slot }) => slot);
    const weights = slots.map((slot) => floatLinear(block, slot).weight);
    const sums: Tensor<"f32">[] = [];
    for (const [i, slot] of slots.entries()) {
      const earlier = this.files.has(index) ? await this.of(index, slot) : null;
      sums.push(earlier ?? Tensor.zeros(backend, "f32", weights[i].shape));
    }
    const before = await addSquaredGradients(blocks, block, { weights, sums, input, gradient });
    await this.write(index, sums);
    return before;
  }

  private async write(block: number, sums: readonly Tensor<"f32">[]): Promise<void> {
    if (sums.length === 0) return;
    const path = joinPath(this.work.folder, `block-${block}`);
    const file = this.files.get(block) ?? (await openForGrowing(path));
    this.files.set(block, file);
    let at = 0;
    for (const sum of sums) {
      const values = await sum.read();
      await file.write(bytesOf(values), at);
      at += values.byteLength;
      sum.release();
    }
  }

  private async read(block: number, into: Float32Array, at: number): Promise<void> {
    const file = this.files.get(block);
    const read = (await file?.read(bytesOf(into), at)) ?? 0;
    if (file && read === into.byteLength) return;
    throw new FewbitError("FILE", `${file?.path ?? "a file"} is shorter than it was written`, {
      hint: "leave the files of a run alone while it works",
    });
  }
}

function bytesOf({ buffer, byteOffset, byteLength }: Float32Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength);
}
