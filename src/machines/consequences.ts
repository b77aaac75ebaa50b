import type { KvCacheDType } from "../nn/kv-cache.ts";
import { joulesOf, type MachineEnergy, type TokenWork } from "./energy.ts";
import type { ModelShape } from "./model-shape.ts";
import {
  isFloatStorage,
  type StorageChoice,
  type StoredSizes,
  storageOf,
  storedBytes,
  storedSizes,
} from "./storage.ts";

/** How a model is run. */
export interface RunChoice {
  readonly storage: StorageChoice;
  readonly kvCache: KvCacheDType;
  /** Tokens that are in the cache. */
  readonly context: number;
}

/** Tokens in the cache where none are named: 2048, or the model's context where that is less. */
export function usualContext({ contextLength }: Pick<ModelShape, "contextLength">): number {
  return Math.min(2048, contextLength);
}

/** Bytes of keys and values of one token in one block: codes, and scales of integers. */
function kvBytesPerToken({ kvHeads, headDim }: ModelShape, dtype: KvCacheDType): number {
  const scale = 4;
  const head = {
    f32: 4 * headDim,
    f16: 2 * headDim,
    i8: headDim + scale,
    i4: Math.ceil(headDim / 2) + scale,
  }[dtype];
  return 2 * kvHeads * head;
}

/** Tokens of a prompt that go through the blocks at once, by default. */
const promptPass = 512;
/** What a process of Node with the native kernels takes before there is a model (measured). */
const programBytes = 90e6;

/** Bytes of memory that running a model takes. */
export interface MemoryNeed {
  readonly weights: number;
  /** Keys and values of the context; blocks with windows keep all tokens, too. */
  readonly kvCache: number;
  /** Hidden states of a pass over part of a prompt, and logits, float32. */
  readonly work: number;
  readonly program: number;
  readonly all: number;
}

/** Says how much memory a model takes with a cache of `context` tokens. */
export function memoryNeed(shape: ModelShape, choice: RunChoice): MemoryNeed {
  const weights = storedSizes(shape, choice.storage).all;
  const kvCache = shape.passes * kvBytesPerToken(shape, choice.kvCache) * choice.context;
  const rows = Math.min(promptPass, choice.context);
  const { hiddenSize, intermediateSize, heads, headDim, vocabularySize } = shape;
  const row = 3 * hiddenSize + 2 * intermediateSize + 2 * heads * headDim;
  const work = 4 * (rows * row + vocabularySize);
  return {
    weights,
    kvCache,
    work,
    program: programBytes,
    all: weights + kvCache + work + programBytes,
  };
}

/** What one token is multiplied by when it is decoded, and what is read for that. */
export interface DecodeWork extends TokenWork {
  /** Bytes of weights, those of one row of the embedding among them. */
  readonly weightBytes: number;
  /** Bytes of keys and values, those of the token itself written. */
  readonly kvBytes: number;
  /** Additions and multiplications. */
  readonly operations: number;
}

/** Adds up what decoding one token behind `context` others takes. */
export function decodeWork(shape: ModelShape, choice: RunChoice): DecodeWork {
  const { storage } = choice;
  let weightBytes = shape.others * { f32: 4, bf16: 2, f16: 2 }[storage.others];
  let integerProducts = 0;
  let floatProducts = 0;
  for (const part of shape.parts) {
    const { kind, outFeatures, inFeatures, used } = part;
    const stored = storageOf(part, storage);
    weightBytes += used * storedBytes(stored, outFeatures, inFeatures);
    if (kind === "embedding") weightBytes += storedBytes(stored, 1, inFeatures);
    const products = used * outFeatures * inFeatures;
    if (isFloatStorage(stored)) floatProducts += products;
    else integerProducts += products;
  }
  const seen = tokensSeen(shape, choice.context);
  floatProducts += 2 * shape.heads * shape.headDim * seen;
  const kvBytes = kvBytesPerToken(shape, choice.kvCache) * (seen + shape.passes);
  return {
    weightBytes,
    kvBytes,
    bytes: weightBytes + kvBytes,
    integerProducts,
    floatProducts,
    operations: 2 * (integerProducts + floatProducts),
  };
}

/** Tokens whose keys a token is multiplied by, all blocks together. */
export function tokensSeen({ spans }: ModelShape, context: number): number {
  return spans.reduce(
    (sum, { window, blocks }) => sum + blocks * Math.min(window ?? context, context),
    0,
  );
}

/** Limits of a machine. */
export interface MachineLimits {
  readonly bytesPerSecond: number;
  readonly operationsPerSecond: number;
}

/** Tokens a second. */
export interface Speeds {
  /** Of tokens that are decoded one by one. */
  readonly decode: number;
  /** Of a prompt that is read in passes of `promptPass` tokens. */
  readonly prompt: number;
}

/**
 * The most that a machine can do (its roofline): all bytes at its bandwidth, all operations at its
 * peak, whichever takes longer.
 */
export function rooflineSpeeds(
  shape: ModelShape,
  choice: RunChoice,
  { bytesPerSecond, operationsPerSecond }: MachineLimits,
): Speeds {
  const token = decodeWork(shape, choice);
  const pass = decodeWork(shape, { ...choice, context: promptPass / 2 });
  const seconds = (bytes: number, operations: number): number =>
    Math.max(bytes / bytesPerSecond, operations / operationsPerSecond);
  return {
    decode: 1 / seconds(token.bytes, token.operations),
    prompt: promptPass / seconds(pass.bytes, promptPass * pass.operations),
  };
}

/** All that a choice of bits changes, as far as it depends on no machine but for energy. */
export interface Consequences {
  readonly stored: StoredSizes;
  readonly memory: MemoryNeed;
  readonly token: DecodeWork & { readonly joules: number };
}

/** Follows a choice of bits down to storage, memory, bytes, operations and energy. */
export function consequencesOf(
  shape: ModelShape,
  choice: RunChoice,
  energy: MachineEnergy,
): Consequences {
  const token = decodeWork(shape, choice);
  return {
    stored: storedSizes(shape, choice.storage),
    memory: memoryNeed(shape, choice),
    token: { ...token, joules: joulesOf(token, energy) },
  };
}

/** What fits into a memory. */
export interface Fit {
  readonly memoryBytes: number;
  readonly fits: boolean;
  /** Tokens of context for which there is room; the model may be made for fewer. 0: for none. */
  readonly largestContext: number;
  /** Parameters of the largest model of these proportions that fits with this context. */
  readonly largestParameters: number;
}

/** Says how large a context, and how large a model like this one, fit into a memory. */
export function fitInto(shape: ModelShape, choice: RunChoice, memoryBytes: number): Fit {
  const need = memoryNeed(shape, choice);
  const perToken = shape.passes * kvBytesPerToken(shape, choice.kvCache);
  const room = memoryBytes - (need.all - need.kvCache);
  const byModel = need.all - need.program;
  return {
    memoryBytes,
    fits: need.all <= memoryBytes,
    largestContext: Math.max(0, Math.floor(room / perToken)),
    largestParameters: Math.max(
      0,
      Math.floor((shape.parameters * (memoryBytes - need.program)) / byModel),
    ),
  };
}
