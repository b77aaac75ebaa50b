import type { Backend } from "../../backend/backend.ts";
import type { LanguageModel } from "../../runtime/language-model.ts";
import { sampleToken } from "../../runtime/sampling.ts";
import { TokenSequence } from "../../runtime/token-sequence.ts";
import { type Tensor, tidy } from "../../tensor/tensor.ts";
import { Prng } from "../../util/prng.ts";
import type { MeasuredRun } from "../machine-table.ts";
import { shapeOf } from "../model-shape.ts";
import { measuredContext, measuredPrompt, type TimeTaken } from "../predict-speed.ts";
import { storedBytes } from "../storage.ts";
import type { MeasureContext } from "./measure-products.ts";
import {
  makeRandomModel,
  type RandomModel,
  randomConfig,
  type RandomModelShape,
  randomModelStorage,
} from "./random-model.ts";
import { type Seconds, takeTimes, type TimedTask, timeInTurn, timingOf } from "./time-in-turn.ts";

type Rest = Pick<MeasuredRun, "blocks" | "steps">;

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
 * Times whole passes of small models of random weights with few and with many blocks, in turn with
 * the products of the same models: what a block takes beyond its products, and what a pass takes
 * beyond its blocks and the product of its head, the choice of a token included.
 */
export async function measureBlocks(
  context: MeasureContext,
  backend: Backend,
  classes: BlockClasses,
): Promise<Rest> {
  context.onProgress?.(`blocks with ${backend.threads} threads`);
  const widths = classes.widths.map((width) => widthOf(width, classes.bytes));
  const [{ few: smallest }] = widths;
  const wordy = { ...smallest, vocabularySize: vocabularies[1] };
  const shapes = [...widths.flatMap(({ few, many }) => [few, many]), wordy];
  const models: RandomModel[] = [];
  for (const shape of shapes) models.push(await makeRandomModel(backend, context.weights, shape));
  const works = models.map((each) => worksOf(each, context));
  const tasks = works.flatMap((work) => work.tasks);
  const timings = await timeInTurn(tasks, classes.rounds, context.signal);
  for (const work of works) work.release();
  for (const { model } of models) model.release();
  const perModel = tasks.length / shapes.length;
  return subtract(widths, wordy, (shape, what, tokens, take) => {
    const at = perModel * shapes.indexOf(shape) + parts.indexOf(what) * 2 + (tokens === 1 ? 0 : 1);
    return timings[at][take];
  });
}

/** What is timed of a model, each for one token and for a prompt. */
const parts = ["pass", "blocks", "head"] as const;

/** Gives a time of a part of a model. */
type SecondsOf = (
  shape: RandomModelShape,
  what: (typeof parts)[number],
  tokens: number,
  take: TimeTaken,
) => number;

interface Works {
  readonly tasks: readonly TimedTask[];
  readonly release: () => void;
}

/** Passes of a model, and the products that these hold, in the order of `parts`. */
function worksOf({ model, linears }: RandomModel, { weights }: MeasureContext): Works {
  const { backend, config } = model;
  const widths = [...new Set([config.hiddenSize, ...linears.map((each) => each.inFeatures)])];
  const inputs = [1, measuredPrompt].map((tokens) => {
    return new Map(widths.map((width) => [width, weights.floats(backend, "f32", [tokens, width])]));
  });
  const multiply = async (input: ReadonlyMap<number, Tensor>): Promise<void> => {
    tidy(() => {
      for (const each of linears) {
        each.forward(input.get(each.inFeatures) as Tensor, "fast").release();
      }
      return null;
    });
    await backend.synchronize();
  };
  const head = async (): Promise<void> => {
    model.logits(inputs[0].get(config.hiddenSize) as Tensor, "fast").release();
    await backend.synchronize();
  };
  return {
    tasks: [
      { run: () => decode(model) },
      { run: () => read(model, measuredPrompt) },
      { run: () => medianOf(() => multiply(inputs[0])) },
      { run: () => multiply(inputs[1]) },
      { run: () => medianOf(head) },
      { run: head },
    ],
    release: () => {
      for (const each of inputs) for (const tensor of each.values()) tensor.release();
    },
  };
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
    return medianOf(() => choose(sequence, 1));
  });
}

function read(model: LanguageModel, tokens: number): Promise<Seconds> {
  return withSequence(model, (sequence) => takeTimes(() => choose(sequence, tokens)));
}

/** Reads tokens and chooses the next one, as a generation does. */
async function choose(sequence: TokenSequence, tokens: number): Promise<void> {
  sampleToken(await sequence.read(ids(tokens)), {}, [], new Prng(0));
}

/** Does some work as often as tokens are decoded; resolves to the medians of its times. */
async function medianOf(work: () => Promise<void>): Promise<Seconds> {
  const runs: Seconds[] = [];
  for (let step = 0; step < steps; step++) runs.push(await takeTimes(work));
  const { median: elapsed, processor } = timingOf(runs);
  return { elapsed, processor };
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
function subtract(widths: readonly Width[], wordy: RandomModelShape, secondsOf: SecondsOf): Rest {
  const all = (of: (take: TimeTaken) => number) => ({
    median: of("median"),
    least: of("least"),
    processor: of("processor"),
  });
  const beyond = (shape: RandomModelShape, tokens: number, take: TimeTaken): number =>
    secondsOf(shape, "pass", tokens, take) - secondsOf(shape, "blocks", tokens, take);
  const blockOf = ({ few, many }: Width, tokens: number, take: TimeTaken): number =>
    (beyond(many, tokens, take) - beyond(few, tokens, take)) / (many.blocks - few.blocks);
  const [smallest] = widths;
  const stepOf = (shape: RandomModelShape, tokens: number, take: TimeTaken): number =>
    beyond(shape, tokens, take) -
    fewBlocks * blockOf(smallest, tokens, take) -
    secondsOf(shape, "head", tokens, take);
  return {
    blocks: [1, measuredPrompt].flatMap((tokens) =>
      widths.map((width) => ({
        hiddenSize: width.few.hiddenSize,
        tokens,
        seconds: all((take) => blockOf(width, tokens, take)),
      })),
    ),
    steps: [1, measuredPrompt].flatMap((tokens) =>
      [smallest.few, wordy].map((shape) => ({
        vocabularySize: shape.vocabularySize,
        tokens,
        seconds: all((take) => stepOf(shape, tokens, take)),
      })),
    ),
  };
}
