import type { Backend } from "../backend/backend.ts";
import { CheckpointWeights } from "../formats/checkpoint-weights.ts";
import { DerivedFile } from "../formats/derived-file.ts";
import { readFloatTensor } from "../formats/read-float-tensor.ts";
import { fromStoredForm } from "../formats/tensor-forms.ts";
import type { Method } from "../methods/define-method.ts";
import { withOwnHead } from "../models/composite.ts";
import { DecoderModel } from "../models/decoder.ts";
import {
  foldedNorms,
  keepsOnes,
  rotatedTensors,
  rotationObstacle,
  untiesHead,
} from "../models/decoder-rotation.ts";
import { findLanguage } from "../models/index.ts";
import { FoldedRotation } from "../nn/model-rotation.ts";
import { type Recipe, transformsOf } from "../recipe/recipe.ts";
import type { OpenedModel } from "../runtime/load.ts";
import { formatSize } from "../util/format-size.ts";
import { NumericError, UnsupportedError } from "../util/errors.ts";

/** Largest ratio of a norm's bias to its weight that float32 still adds exactly enough. */
const largestRatio = 1e4;

/** A model as the rest of a run sees it, and what a user should know of it, a sentence each. */
export interface PreparedModel {
  readonly opened: OpenedModel;
  readonly notices: readonly string[];
}

/**
 * Returns the model with the rotations that a transform of the recipe asks for folded into its
 * weights, which are computed as they are read: the same files, closed with those of `opened`, and
 * the same logits. Without such a transform it is the model itself.
 * @throws UnsupportedError when the family's weights cannot take a rotation up
 * @throws NumericError when the bias of a norm cannot, for its weights are 0 or nearly so
 */
export async function rotateModel(
  opened: OpenedModel,
  recipe: Pick<Recipe, "transforms" | "seed"> & Partial<Pick<Recipe, "head">>,
  backend: Backend,
): Promise<PreparedModel> {
  const chosen = transformsOf(recipe).find(({ method }) => method.rotateModel);
  const { method, options = {} } = chosen ?? {};
  if (!method?.rotateModel) return { opened, notices: [] };
  const { config, checkpoint } = opened;
  expectRotatable(method, opened);
  await expectDivisible(opened);
  const { hiddenSize, headDim } = config;
  const ask = { hiddenSize, headDim, keepsOnes: keepsOnes(config), seed: recipe.seed, options };
  const rotation = new FoldedRotation(rotatedTensors(config));
  rotation.current = method.rotateModel(ask);
  const files = [...rotation.tensors].map(
    ([name, tensor]) => [name, new DerivedFile(checkpoint, name, tensor, rotation)] as const,
  );
  const unties = untiesHead(config);
  const json = unties ? withOwnHead(checkpoint.config) : checkpoint.config;
  const rotated = checkpoint.overlay(json, new Map(files));
  const own = { ...config, tiedEmbeddings: config.tiedEmbeddings && !unties };
  opened.model.releaseEmbeddingAndHead();
  const weights = new CheckpointWeights(backend, rotated, "float32");
  const model = await DecoderModel.open(backend, own, weights);
  const head = unties ? rotated.info(`${config.names.head}.weight`) : null;
  return {
    opened: {
      ...opened,
      config: own,
      checkpoint: rotated,
      model,
      rotation,
      sizes: withHead(opened, head ? head.end - head.begin : 0),
    },
    notices: head && !recipe.head ? [untied(method, head.end - head.begin)] : [],
  };
}

/** @throws UnsupportedError that says why */
function expectRotatable({ id, title }: Method, { config, checkpoint, architecture }: OpenedModel) {
  const { composite } = findLanguage(checkpoint.config);
  const obstacle = composite
    ? "other parts of it add images to the residual stream, and stay as they are"
    : rotationObstacle(config);
  if (obstacle === null) return;
  throw new UnsupportedError(`${title} cannot rotate this ${architecture}: ${obstacle}`, {
    hint: "leave the transform out; `transforms: awq` is for every family",
    field: "transforms",
    value: id,
  });
}

/** A bias b behind a norm of weights w becomes b / w. @throws NumericError where that is too much */
async function expectDivisible({ config, checkpoint }: OpenedModel): Promise<void> {
  if (!config.norm.bias) return;
  const read = async (name: string): Promise<Float32Array> => {
    const { values, shape } = await readFloatTensor(checkpoint, name);
    return fromStoredForm(values, shape, checkpoint.forms.get(name));
  };
  for (const name of foldedNorms(config)) {
    const [weights, biases] = [await read(`${name}.weight`), await read(`${name}.bias`)];
    const at = biases.findIndex((b, i) => b !== 0 && !(Math.abs(b / weights[i]) <= largestRatio));
    if (at < 0) continue;
    throw new NumericError(
      `${name}.weight is ${weights[at]} in channel ${at}, where its bias is ${biases[at]}: the ` +
        "norm cannot be folded into the layers behind it",
      { hint: "leave the rotation out", field: "transforms" },
    );
  }
}

/** Sizes of a model with a head of so many bytes more. */
function withHead({ sizes, config }: OpenedModel, headBytes: number): OpenedModel["sizes"] {
  if (headBytes === 0) return sizes;
  const parameters = sizes.parameters + config.vocabularySize * config.embeddingSize;
  const bytes = sizes.file.bytes + headBytes;
  return { ...sizes, parameters, file: { bytes, bitsPerWeight: (8 * bytes) / parameters } };
}

function untied({ title }: Method, bytes: number): string {
  return (
    `${title} folds the final norm into the output head, which becomes a table of its own beside ` +
    `the embedding: ${formatSize(bytes)} more unless \`head\` names a scheme`
  );
}
