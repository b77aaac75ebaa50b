import type { Backend } from "../../backend/backend.ts";
import type { LanguageModel } from "../../runtime/language-model.ts";
import { TokenSequence } from "../../runtime/token-sequence.ts";
import type { MeasuredRun } from "../machine-table.ts";
import { shapeOf } from "../model-shape.ts";
import {
  measuredContext,
  measuredPrompt,
  productSeconds,
  type TimeTaken,
} from "../predict-speed.ts";
import { storedBytes } from "../storage.ts";
import type { MeasureContext } from "./measure-products.ts";
import {
  makeRandomModel,
  randomConfig,
  type RandomModelShape,
  randomModelStorage,
} from "./random-model.ts";
import { type Seconds, takeTimes, timeInTurn, timingOf } from "./time-in-turn.ts";

type Rest = Pick<MeasuredRun, "blocks" | "steps">;
type Products = Pick<MeasuredRun, "products">;

/** Widths of models that are timed, and what blocks of each have. */
export interface BlockClasses {
  readonly widths: readonly { readonly hiddenSize: number; readonly intermediateSize: number }[];
  /** Bytes of blocks of one model: more than caches hold. */
  readonly bytes: number;
  readonly rounds: number;
}

const fewBlocks = 2;
const vocabularies = [1024, 32768] as const;
const prompt = 8;
const steps = 2 * (measuredContext - prompt);

/** A model with few blocks and one with many, of one width. */
interface Width {
  readonly few: RandomModelShape;
  readonly many: RandomModelShape;
}

/**
 * Times whole passes of small models of random weights with few and with many blocks: what a block
 * takes beyond its products, and what a pass takes beyond its blocks.
 * @param run what products take with this backend's threads
 */
export async function measureBlocks(
  context: MeasureContext,
  backend: Backend,
  run: Products,
  classes: BlockClasses,
): Promise<Rest> {
  context.onProgress?.(`blocks with ${backend.threads} threads`);
  const widths = classes.widths.map((width) => widthOf(width, classes.bytes));
  const [{ few: smallest }] = widths;
  const wordy = { ...smallest, vocabularySize: vocabularies[1] };
  const shapes = [...widths.flatMap(({ few, many }) => [few, many]), wordy];
  const models: LanguageModel[] = [];
  for (const shape of shapes) models.push(await makeRandomModel(backend, context.weights, shape));
  const tasks = models.flatMap((model) => [
    { run: () => decode(model) },
    { run: () => read(model, measuredPrompt) },
  ]);
  const timings = await timeInTurn(tasks, classes.rounds, context.signal);
  for (const model of models) model.release();
  const secondsOf = (shape: RandomModelShape, tokens: number, take: TimeTaken): number =>
    timings[2 * shapes.indexOf(shape) + (tokens === 1 ? 0 : 1)][take];
  return subtract(run, widths, wordy, secondsOf);
}

function widthOf(
  width: { readonly hiddenSize: number; readonly intermediateSize: number },
  bytes: number,
): Width {
  const [vocabularySize] = vocabularies;
  const few = { ...width, blocks: fewBlocks, vocabularySize };
  const blockBytes = shapeOf(randomConfig({ ...few, blocks: 1 })).parts.reduce(
    (sum, { kind, outFeatures, inFeatures, count }) =>
      kind === "attention" || kind === "mlp"
        ? sum + count * storedBytes(randomModelStorage, outFeatures, inFeatures)
        : sum,
    0,
  );
  return { few, many: { ...few, blocks: fewBlocks + Math.ceil(bytes / blockBytes) } };
}

/** Decodes some tokens; resolves to the medians of their times. */
async function decode(model: LanguageModel): Promise<Seconds> {
  return withSequence(model, async (sequence) => {
    await sequence.read(ids(prompt));
    const runs: Seconds[] = [];
    for (let step = 0; step < steps; step++) runs.push(await timed(sequence, 1));
    const { median: elapsed, processor } = timingOf(runs);
    return { elapsed, processor };
  });
}

function read(model: LanguageModel, tokens: number): Promise<Seconds> {
  return withSequence(model, (sequence) => timed(sequence, tokens));
}

function timed(sequence: TokenSequence, tokens: number): Promise<Seconds> {
  return takeTimes(() => sequence.read(ids(tokens)));
}

async function withSequence<T>(
  model: LanguageModel,
  work: (sequence: TokenSequence) => Promise<T>,
): Promise<T> {
  const capacity = measuredPrompt + steps;
  const options = { capacity, kvCache: "f16", prefillChunk: 512, products: "fast" } as const;
  const sequence = new TokenSequence(model, options);
  try {
    return await work(sequence);
  } finally {
    sequence.release();
  }
}

function ids(count: number): number[] {
  return Array.from({ length: count }, (_, index) => (37 * index + 11) % vocabularies[0]);
}

/** Takes the products out of what was timed. */
function subtract(
  run: Products,
  widths: readonly Width[],
  wordy: RandomModelShape,
  secondsOf: (shape: RandomModelShape, tokens: number, take: TimeTaken) => number,
): Rest {
  const all = (of: (take: TimeTaken) => number) => ({
    median: of("median"),
    least: of("least"),
    processor: of("processor"),
  });
  const blockOf = ({ few, many }: Width, tokens: number, take: TimeTaken): number =>
    (secondsOf(many, tokens, take) - secondsOf(few, tokens, take)) / (many.blocks - few.blocks);
  const [smallest] = widths;
  const stepOf = (shape: RandomModelShape, tokens: number, take: TimeTaken): number =>
    secondsOf(shape, tokens, take) -
    fewBlocks * blockOf(smallest, tokens, take) -
    productsOf(run, shape, "head", 1, take);
  const perTokens = [1, measuredPrompt];
  return {
    blocks: perTokens.flatMap((tokens) =>
      widths.map((width) => ({
        hiddenSize: width.few.hiddenSize,
        tokens,
        seconds: all((take) => {
          const one = { ...width.few, blocks: 1 };
          return blockOf(width, tokens, take) - productsOf(run, one, "blocks", tokens, take);
        }),
      })),
    ),
    steps: perTokens.flatMap((tokens) =>
      [smallest.few, wordy].map((shape) => ({
        vocabularySize: shape.vocabularySize,
        tokens,
        seconds: all((take) => stepOf(shape, tokens, take)),
      })),
    ),
  };
}

function productsOf(
  run: Products,
  shape: RandomModelShape,
  of: "head" | "blocks",
  tokens: number,
  take: TimeTaken,
): number {
  return shapeOf(randomConfig(shape)).parts.reduce((sum, part) => {
    const isWanted =
      of === "head" ? part.kind === "head" : part.kind === "attention" || part.kind === "mlp";
    if (!isWanted) return sum;
    return sum + part.used * productSeconds(run, randomModelStorage, { tokens, ...part }, take);
  }, 0);
}
