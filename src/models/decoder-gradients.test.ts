import { describe, expect, test } from "vitest";
import { formulaSource } from "../../test/golden/formula-weights.ts";
import { idTensor, modelCaseNames, readModelCase } from "../../test/golden/model-cases.ts";
import { createReferenceBackend } from "../kernels/reference/index.ts";
import { TrainableModel } from "../nn/trainable-model.ts";
import { Tape } from "../tensor/tape.ts";
import { Tensor, tidy } from "../tensor/tensor.ts";
import { DecoderModel } from "./decoder.ts";
import { architectures, findArchitecture, readModelConfig } from "./index.ts";

const backend = createReferenceBackend();

/**
 * The last golden model of each family, which tends to be the odd one, and those whose blocks run
 * several times.
 */
const cases = [
  ...architectures.map(
    ({ modelType }) =>
      modelCaseNames.findLast(
        (name) => findArchitecture(readModelCase(name).config).modelType === modelType,
      ) ?? modelType,
  ),
  ...modelCaseNames.filter((name) => readModelConfig(readModelCase(name).config).blockRuns > 1),
];

const ofExpert = /\.experts\.\d+\./;

const values = (tensor: Tensor): Float32Array => tensor.storage as Float32Array;

describe("gradients of whole models are the slopes of central differences", () => {
  test.each(cases)("%s", async (name) => {
    const golden = readModelCase(name);
    const config = readModelConfig(golden.config);
    const source = formulaSource(backend, config, "float32");
    const bare = await DecoderModel.open(backend, config, source);
    const model = await TrainableModel.load(bare, source);
    const ids = idTensor(backend, [golden.ids[0].slice(0, 9)]);
    const directions = new Float32Array(9 * config.vocabularySize).map((_, i) => Math.sin(i));
    const forward = (): Tensor<"f32"> => model.forward(ids);
    const measure = (): number =>
      values(tidy(forward)).reduce((sum, x, i) => sum + x * directions[i], 0);
    const tape = new Tape();
    tape.watch(...model.tensors.values());
    const out = tape.run(forward);
    tape.backward([[out, Tensor.from(backend, "f32", out.shape, directions)]]);
    for (const [tensorName, tensor] of model.tensors) {
      const gradient = tape.takeGradient(tensor);
      // No token may have gone to an expert.
      const canLack = ofExpert.test(tensorName);
      if (!canLack) expect(gradient, tensorName).not.toBeNull();
      const slopes = gradient ? values(gradient) : new Float32Array(tensor.size);
      const steepest = slopes.reduce(
        (at, slope, i) => (Math.abs(slope) > Math.abs(slopes[at]) ? i : at),
        0,
      );
      const array = values(tensor);
      const before = array[steepest];
      const differences = [1, -1].map((side) => {
        array[steepest] = before + side * 4e-3;
        return measure();
      });
      array[steepest] = before;
      const slope = (differences[0] - differences[1]) / 8e-3;
      // A bias of all keys moves no weight of attention: what it has is noise.
      const size = Math.max(Math.abs(slopes[steepest]), 0.5);
      expect(Math.abs(slope - slopes[steepest]) / size, tensorName).toBeLessThan(0.02);
    }
    tape.release();
  });
});
