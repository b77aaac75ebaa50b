import type { EvaluationWindow } from "../calibration/windows.ts";
import { SafetensorsWriter } from "../formats/safetensors-writer.ts";
import { openSafetensors, type TensorEntry } from "../formats/safetensors.ts";
import { createHasher, writeBeside } from "../platform/node.ts";
import type { LanguageModel } from "../runtime/language-model.ts";
import { crossEntropy } from "../tensor/ops.ts";
import { Tensor, tidy } from "../tensor/tensor.ts";
import { throwIfCancelled, UsageError } from "../util/errors.ts";
import { finalRows, rowChunks, targetsOf, windowGroups } from "./window-passes.ts";

const formatOfFile = "fewbit teacher states 1";

/**
 * The final hidden states and losses of an original on the windows of a text. Computed once, they
 * serve every model that is compared with it; only the output head of the original is needed then.
 */
export class TeacherStates {
  /** Width of the states. */
  readonly width: number;
  /** Negative log-likelihoods of each window's scored predictions, in nats. */
  readonly losses: readonly Float32Array[];
  /** Hash of the windows' tokens and of what is scored of them. */
  readonly windowsHash: string;
  /** Rows `[tokens, width]` of the passes in which the windows are run. */
  private passes: readonly Tensor[];

  private constructor(
    width: number,
    windowsHash: string,
    passes: readonly Tensor[],
    losses: readonly Float32Array[],
  ) {
    this.width = width;
    this.windowsHash = windowsHash;
    this.passes = passes;
    this.losses = losses;
  }

  /** Runs an original on windows of one length, once. The states stay in memory until `release`. */
  static async compute(
    teacher: LanguageModel,
    windows: readonly EvaluationWindow[],
    signal?: AbortSignal,
  ): Promise<TeacherStates> {
    const passes: Tensor[] = [];
    const losses: Float32Array[] = [];
    for (const group of windowGroups(windows)) {
      throwIfCancelled(signal);
      const rows = await finalRows(teacher, group, "exact");
      passes.push(rows);
      for (const [index, window] of group.entries()) {
        losses.push(await teacherLosses(teacher, rows, window, index));
      }
    }
    return new TeacherStates(teacher.config.hiddenSize, hashWindows(windows), passes, losses);
  }

  /**
   * Reads what `save` wrote, in place of `compute`; null when the file is of other windows or
   * another width.
   * @throws FormatError when the file is missing or damaged
   */
  static async open(
    path: string,
    teacher: LanguageModel,
    windows: readonly EvaluationWindow[],
  ): Promise<TeacherStates | null> {
    const file = await openSafetensors(path);
    try {
      const hash = hashWindows(windows);
      const width = teacher.config.hiddenSize;
      const isSame =
        file.metadata.get("format") === formatOfFile && file.metadata.get("windows") === hash;
      if (!isSame || file.info("hidden").shape[1] !== width) return null;
      // Where files are mapped, the states are read as they are needed and take no memory of the
      // process.
      const hidden = await file.viewAs("hidden", "f32");
      let row = 0;
      const passes = windowGroups(windows).map((group) => {
        const rows = group.reduce((sum, { ids }) => sum + ids.length, 0);
        const values = hidden.subarray(row * width, (row += rows) * width);
        return Tensor.from(teacher.backend, "f32", [rows, width], values);
      });
      const all = await file.readAs("losses", "f32");
      let at = 0;
      const losses = windows.map(({ from, to }) => all.slice(at, (at += to - from)));
      return new TeacherStates(width, hash, passes, losses);
    } finally {
      await file.close();
    }
  }

  /** Writes the states to a file whole or not at all. @throws FewbitError when that fails */
  async save(path: string): Promise<void> {
    await writeBeside(path, (beside) => this.write(beside));
  }

  /** Final hidden states of the windows of pass `index`; they belong to this object. */
  pass(index: number): Tensor {
    const pass = this.passes[index];
    if (pass) return pass;
    throw new UsageError("the original's states were released");
  }

  /** @throws UsageError when these are states of other windows */
  expectWindows(windows: readonly EvaluationWindow[]): void {
    if (hashWindows(windows) === this.windowsHash) return;
    throw new UsageError("the original was measured on other windows than the model is", {
      hint: "measure it with the same text, window, protocol and number of windows",
    });
  }

  /** Releases the memory of the states; the teacher stays. */
  release(): void {
    for (const pass of this.passes) pass.release();
    this.passes = [];
  }

  private async write(path: string): Promise<void> {
    const { width } = this;
    const rows = this.passes.reduce((sum, { shape }) => sum + (shape[0] ?? 0), 0);
    const predictions = this.losses.reduce((sum, { length }) => sum + length, 0);
    const entries: TensorEntry[] = [
      { name: "hidden", dtype: "f32", shape: [rows, width] },
      { name: "losses", dtype: "f32", shape: [predictions] },
    ];
    const writer = await SafetensorsWriter.create(path, entries, {
      format: formatOfFile,
      windows: this.windowsHash,
    });
    try {
      let at = 0;
      for (const pass of this.passes) {
        const values = await pass.read();
        await writer.write("hidden", values, at);
        at += values.byteLength;
      }
      at = 0;
      for (const losses of this.losses) {
        await writer.write("losses", losses, at);
        at += losses.byteLength;
      }
      await writer.finish();
    } catch (error) {
      await writer.close().catch(() => undefined);
      throw error;
    }
  }
}

async function teacherLosses(
  teacher: LanguageModel,
  rows: Tensor,
  window: EvaluationWindow,
  index: number,
): Promise<Float32Array> {
  const losses = new Float32Array(window.to - window.from);
  for (const { start, end } of rowChunks(window)) {
    const first = index * window.ids.length;
    const piece = tidy(() =>
      crossEntropy(
        teacher.logits(rows.slice(first + start, first + end)),
        targetsOf(teacher.backend, window, start, end),
      ),
    );
    losses.set(await piece.read(), start - window.from);
    piece.release();
  }
  return losses;
}

function hashWindows(windows: readonly EvaluationWindow[]): string {
  const hasher = createHasher("sha256");
  for (const { ids, from, to } of windows) {
    hasher.update(Int32Array.of(ids.length, from, to));
    hasher.update(ids);
  }
  return hasher.digest();
}
