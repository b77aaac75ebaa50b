import { expect } from "vitest";
import { readJoinedText } from "../../src/calibration/read-joined-text.ts";
import { evaluationWindows } from "../../src/calibration/windows.ts";
import {
  evaluate,
  type LanguageModel,
  load,
  type Method,
  type RunRecord,
} from "../../src/index.ts";
import { openCheckpoint } from "../../src/formats/checkpoint.ts";
import { readQTensor } from "../../src/formats/fewbit-format.ts";
import { readQuantizationConfig } from "../../src/formats/quantization-config.ts";
import { readFloatTensor } from "../../src/formats/read-float-tensor.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";

/** A checkpoint that a run wrote, and what it was made from and on. */
export interface Written {
  readonly directory: string;
  readonly record: RunRecord;
  readonly original: LanguageModel;
  /** Text that starts with the windows that the run saw. */
  readonly text: string;
  readonly windows: { readonly samples: number; readonly window: number };
}

/** What a method is there to make small. */
export interface Objective {
  readonly title: string;
  readonly measure: (written: Written) => Promise<number>;
}

/**
 * What a method makes small with options, by the work that it declares: its hook, and what that is
 * given.
 */
export function objectiveOf(method: Method, options: Record<string, unknown>): Objective {
  if (method.trainModel) return method.usesTeacher?.(options) ? divergence : textLoss;
  if (method.rotateModel || method.needs.sensitivities) return divergence;
  if (method.quantizeBlock ?? method.transformBlock) return blockError;
  return method.needs.statistics.length > 0 ? outputError : weightError;
}

const textLoss: Objective = {
  title: "the loss on the text",
  measure: async (written) => (await measureOnText(written)).loss.mean,
};

const divergence: Objective = {
  title: "the divergence from the original on the text",
  measure: async (written) => (await measureOnText(written)).klDivergence?.mean ?? Number.NaN,
};

/** Mean of `‖X·(W − Ŵ)ᵀ‖² / ‖X·Wᵀ‖²` over the layers, as the run has measured it. */
const outputError: Objective = {
  title: "the error of the layers' outputs",
  measure: async ({ record: { linears } }) => {
    for (const { errorOf } of linears) expect(errorOf).toBe("outputs");
    return mean(linears.map(({ relativeError }) => relativeError));
  },
};

/** Mean of `‖W − Ŵ‖² / ‖W‖²` over the layers, of the weights in the file. */
const weightError: Objective = {
  title: "the error of the weights",
  measure: async ({ directory, original }) => {
    const [quantized, float] = [
      await openCheckpoint(directory),
      await openCheckpoint(original.directory),
    ];
    const errors: number[] = [];
    for (const [name, module] of readQuantizationConfig(quantized.config)?.modules ?? []) {
      const { values } = await readFloatTensor(float, `${name}.weight`);
      const decoded = (await readQTensor(quantized, name, module)).dequantize();
      errors.push(relativeDistance(decoded, values));
    }
    await quantized.close();
    await float.close();
    return mean(errors);
  },
};

/** Mean of `‖h − ĥ‖² / ‖h‖²` over blocks and tokens, h what stands behind a block at a token. */
const blockError: Objective = {
  title: "the error of the blocks' outputs",
  measure: async (written) => {
    const quantized = await load(written.directory);
    const found = await statesOf(quantized, written);
    quantized.release();
    const expected = await statesOf(written.original, written);
    const { hiddenSize } = written.original.model;
    return mean(found.map((states, block) => meanDistance(states, expected[block], hiddenSize)));
  },
};

function measureOnText({ directory, original, text, windows: { samples, window } }: Written) {
  const against = original;
  return evaluate(directory, { text, window, maxWindows: samples, speedTokens: 0, against });
}

/** The residual stream behind each block, for the windows of the text. */
async function statesOf(
  loaded: LanguageModel,
  { text, windows }: Written,
): Promise<Float32Array[]> {
  const { model, blocks, tokenizer } = loaded;
  const cut = { window: windows.window, maxWindows: windows.samples, protocol: "windows" } as const;
  const rows = evaluationWindows(await readJoinedText(text, tokenizer), tokenizer, cut);
  let hidden = model.embed(loaded.tokens(rows.map(({ ids }) => ids)));
  const states: Float32Array[] = [];
  for (const block of blocks) {
    // A pass without `untilStage` is never stopped on the way.
    hidden = model.forwardBlock(block, hidden, { position: 0 }) as Tensor;
    states.push((await hidden.read()) as Float32Array);
  }
  return states;
}

/** Mean of `‖a − b‖² / ‖b‖²` over rows of so many values. */
function meanDistance(a: Float32Array, b: Float32Array, width: number): number {
  const rows = Array.from({ length: b.length / width }, (_, row) => row * width);
  return mean(
    rows.map((at) => relativeDistance(a.subarray(at, at + width), b.subarray(at, at + width))),
  );
}

/** `‖a − b‖² / ‖b‖²` */
function relativeDistance(a: Float32Array, b: Float32Array): number {
  const [distance, norm] = b.reduce(
    ([above, below], value, i) => [above + (a[i] - value) ** 2, below + value ** 2],
    [0, 0],
  );
  return distance / norm;
}

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;
