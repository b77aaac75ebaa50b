import type { Backend } from "../backend/backend.ts";
import type { DecoderConfig } from "../models/decoder-config.ts";
import { status } from "../platform/node.ts";
import { parseTrainConfig, type TrainConfigInput } from "../train/pretrain-config.ts";
import { planPretraining } from "../train/pretrain-plan.ts";
import { choosePrecision } from "../training/choose-precision.ts";
import type { PointEstimate } from "./sweep-events.ts";

/** About how long the text of a token is. */
export const bytesPerToken = 4;
const usualWindow = 256;
/** A step runs the model forward, and twice as much work backward. */
const passes = 3;

/** A float model that is to be trained further. */
export interface FloatModel {
  readonly decoder: DecoderConfig;
  readonly parameters: number;
}

/** Estimates what training a model further takes; `flops` is the speed of a forward pass. */
export async function estimateTraining(
  input: TrainConfigInput,
  { decoder, parameters }: FloatModel,
  { backend, flops }: { readonly backend: Backend; readonly flops: number },
): Promise<Omit<PointEstimate, "measureSeconds">> {
  const config = parseTrainConfig(input);
  const { data, dtype } = config;
  const textTokens = await tokensOfFiles(data.files);
  const { window: length = Math.min(usualWindow, decoder.contextLength) } = data;
  const windows = { length, count: Math.max(1, textTokens / length) };
  const precision = choosePrecision(config.precision, backend);
  const plan = planPretraining(config, decoder, { textTokens, windows }, precision);
  const { steps, tokensPerStep, memoryBytes } = plan;
  return {
    makeSeconds: (passes * 2 * parameters * steps * tokensPerStep) / flops,
    memoryBytes,
    outputBytes: parameters * (dtype === "f32" ? 4 : 2),
  };
}

/** About how many tokens texts have. */
export async function tokensOfFiles(files: readonly string[]): Promise<number> {
  let bytes = 0;
  for (const file of files) bytes += (await status(file))?.sizeBytes ?? 0;
  return bytes / bytesPerToken;
}
