import { z } from "zod";
import { expectSchedule, type Schedule } from "../../training/schedule.ts";
import { momentDTypes } from "../../training/adamw.ts";
import type { WindowOrder } from "../../training/token-batches.ts";
import { UsageError } from "../../util/errors.ts";
import type { TrainingData, TrainingEffort } from "../define-method.ts";
import { choice, count, flag, nonNegative, positiveIfGiven } from "./option-kinds.ts";

/** Defaults in which methods that train a whole model differ. */
export interface TrainingDefaults {
  readonly steps?: number;
  readonly epochs?: number;
  readonly batch?: number;
  readonly schedule?: Schedule["kind"];
  readonly warmUp?: number;
  readonly weightDecay?: number;
  readonly clip?: number;
}

/** Options of methods that train a whole model, with defaults of their own. */
export function trainingOptions(defaults: TrainingDefaults) {
  const { steps, epochs, batch = 8, schedule = "cosine", warmUp = 0 } = defaults;
  const { weightDecay = 0, clip = 1 } = defaults;
  const usual = steps === undefined ? describeEpochs(epochs ?? 1) : `${steps} steps`;
  return {
    steps: z
      .number()
      .int()
      .min(1)
      .optional()
      .describe(`steps of training, windows drawn at random (unless given: ${usual})`),
    epochs: positiveIfGiven("passes over all windows instead, each in an order of its own"),
    batch: count(batch, "windows a micro-batch"),
    accumulation: count(1, "micro-batches a step"),
    learningRate: positiveIfGiven(
      "largest learning rate (unless given: by the grid, or by bits and width)",
    ),
    schedule: choice(
      ["constant", "linear", "cosine"],
      schedule,
      "how the learning rate falls to 0",
    ),
    warmUp: nonNegative(
      warmUp,
      "steps over which the learning rate rises, or a share of the run below 1",
    ),
    weightDecay: nonNegative(weightDecay, "decoupled weight decay"),
    clip: nonNegative(clip, "largest norm of the gradients; 0 leaves them as they are"),
    precision: choice(
      ["auto", "f32", "bf16"],
      "auto",
      "what products multiply in; auto: bfloat16 where the processor has it",
    ),
    moments: choice(
      momentDTypes,
      "f32",
      "how moments of weights are kept; bf16: rounded stochastically, in half the memory",
    ),
    windowsAtOnce: z
      .number()
      .int()
      .min(1)
      .optional()
      .describe(
        "windows of a micro-batch in memory at once, to the same result (unless given: all)",
      ),
    recompute: flag(
      false,
      "compute blocks again for their gradients: less memory, a third more time",
    ),
    checkpointEvery: count(100, "steps between two states that an interrupted run can resume from"),
  };
}

/** Options as `trainingOptions` reads them. */
export type TrainingOptions = z.output<z.ZodObject<ReturnType<typeof trainingOptions>>>;

/** How many steps a training has, and in which order windows come. */
export interface TrainingLength {
  readonly steps: number;
  readonly order: WindowOrder;
}

/**
 * Works out the length of a training.
 * @throws UsageError when the options contradict each other or the data
 */
export function trainingLength(
  options: TrainingOptions,
  { windows }: Pick<TrainingData, "windows">,
  defaults: TrainingDefaults,
): TrainingLength {
  if (options.steps !== undefined && options.epochs !== undefined) {
    throw new UsageError("the length of a training is given in steps or in epochs, not both", {
      hint: "leave out `steps` or `epochs`",
      field: "options.epochs",
      value: options.epochs,
    });
  }
  const epochs = options.epochs ?? (options.steps === undefined ? defaults.epochs : undefined);
  const asked = options.steps ?? defaults.steps ?? 1;
  const windowsAStep = options.batch * options.accumulation;
  const steps = epochs === undefined ? asked : Math.ceil((epochs * windows) / windowsAStep);
  expectSchedule(scheduleOf(options), steps);
  return { steps, order: epochs === undefined ? "random" : "shuffled" };
}

/** Learning rate of EfficientQAT and ParetoQ for weights of so many bits, in models 4096 wide. */
export function paperRate(bits: number): number {
  return bits < 3 ? 2e-5 : 1e-5;
}

/**
 * Scales a learning rate for models 4096 wide to another width: narrower ones take larger steps.
 */
export function rateForWidth(rate: number, hiddenSize: number): number {
  return (rate * 4096) / hiddenSize;
}

/** How the learning rate goes. */
export function scheduleOf({ schedule, warmUp }: TrainingOptions): Schedule {
  return { kind: schedule, warmUp, finalRatio: 0 };
}

/** How much a training is. @throws UsageError as `trainingLength` */
export function trainingEffort(
  options: TrainingOptions,
  data: TrainingData,
  defaults: TrainingDefaults,
  trainsWeights = true,
): TrainingEffort {
  return {
    steps: trainingLength(options, data, defaults).steps,
    microBatchTokens: options.batch * data.window,
    tokensAtOnce: Math.min(options.batch, options.windowsAtOnce ?? options.batch) * data.window,
    accumulation: options.accumulation,
    recompute: options.recompute,
    moments: options.moments,
    trainsWeights,
  };
}

function describeEpochs(epochs: number): string {
  return epochs === 1 ? "1 epoch" : `${epochs} epochs`;
}
