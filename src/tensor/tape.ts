import type { Storage } from "../backend/kernels.ts";
import { UnsupportedError } from "../util/errors.ts";
import { GradientMap } from "./gradient-map.ts";
import { expectShape } from "./shape.ts";
import { type Tensor, type TensorHolder, tidy, withHolder } from "./tensor.ts";

/** `bf16`: products of `linear` in bfloat16 with float32 sums; all else stays float32. */
export type TapePrecision = "f32" | "bf16";

/**
 * Gradients by the inputs of an op from that by its output; null where there is none. `sums` are what
 * other ops have given so far: one of them is returned where the op adds its gradient to it in place.
 */
export type Backward = (
  dOut: Tensor<"f32">,
  wanted: readonly boolean[],
  sums: readonly (Tensor<"f32"> | null)[],
) => readonly (Tensor<"f32"> | null)[];

/** An op that was recorded. */
interface Entry {
  readonly out: Tensor;
  readonly inputs: readonly Tensor[];
  readonly backward: Backward;
}

/** An output, and the gradient of the loss by it. */
export type Seed = readonly [out: Tensor, dOut: Tensor<"f32">];

/** How a tape records. */
export interface TapeOptions {
  readonly precision?: TapePrecision;
  /**
   * Whether products make operands that cost little again for their gradients (normalised inputs,
   * gated units, weights on their grids) instead of keeping them; as the outer tape when left out.
   */
  readonly remakes?: boolean;
}

/** What records now, and how products multiply (of the innermost `run`, always). */
const open: { tape: Tape | null; precision: TapePrecision } = { tape: null, precision: "f32" };

/**
 * Records ops, and runs their gradients backwards (reverse-mode differentiation). Only ops with an
 * input that is watched, or comes from a watched one, are recorded; a tape keeps what their
 * gradients need, and `tidy` gives the rest back as ever. Everything happens synchronously: ops
 * enqueue, nothing waits.
 *
 * @example
 * const tape = new Tape();
 * tape.watch(weight);
 * const logits = tape.run(() => linear(x, weight));
 * const { gradient } = crossEntropyGradient(logits, targets, 1 / rows);
 * tape.backward([[logits, gradient]]);
 * const dWeight = tape.takeGradient(weight);
 * tape.release();
 */
export class Tape implements TensorHolder {
  readonly precision: TapePrecision;
  private readonly outer: Tape | null;
  private readonly entries: Entry[] = [];
  private readonly tracked = new Set<Storage>();
  /** Roots of what gradients need, and of what came out of the recorded work. */
  private readonly needed = new Set<Storage>();
  private readonly held = new Set<Tensor>();
  private readonly rounded = new Map<Storage, Tensor<"bf16">>();
  private readonly gradients: GradientMap;
  private readonly remakes: boolean;
  /** What makes tensors again. */
  private readonly makers = new Map<Storage, () => Tensor>();

  constructor(options: TapeOptions = {}, outer: Tape | null = null) {
    this.precision = options.precision ?? "f32";
    this.remakes = options.remakes ?? outer?.remakes ?? false;
    this.outer = outer;
    this.gradients = outer ? outer.gradients : new GradientMap();
  }

  /** Wants the gradient by a tensor; before `run`. */
  watch(...tensors: readonly Tensor<"f32">[]): void {
    for (const tensor of tensors) this.tracked.add(tensor.storage);
  }

  /** Runs `body`, recording. What it returns lives until `release`. */
  run<R extends Tensor | readonly Tensor[]>(body: () => R): R {
    const before = { ...open };
    open.tape = this;
    open.precision = this.precision;
    try {
      return withHolder(this, () => {
        const result = body();
        for (const out of Array.isArray(result) ? result : [result as Tensor]) this.need(out);
        return result;
      });
    } finally {
      Object.assign(open, before);
    }
  }

  /** Adds up gradients back to what is watched. @throws ShapeError when a seed's shape differs */
  backward(seeds: readonly Seed[]): void {
    for (const [out, dOut] of seeds) {
      expectShape("seed of the backward pass", dOut.shape, out.shape);
      this.gradients.add(out.storage, dOut);
    }
    for (let entry = this.entries.pop(); entry; entry = this.entries.pop()) this.back(entry);
  }

  /** Hands over the gradient by a watched tensor, of its shape; null when nothing needed it. */
  takeGradient(tensor: Tensor): Tensor<"f32"> | null {
    const gradient = this.gradients.take(tensor.storage);
    return gradient && gradient.own(tensor.shape);
  }

  /** Gives back what the tape held, gradients that nobody took included. */
  release(): void {
    for (const tensor of this.held) tensor.release();
    this.held.clear();
    this.makers.clear();
    this.rounded.clear();
    if (!this.outer) this.gradients.release();
  }

  /** Whether gradients flow to a tensor. */
  tracks(tensor: Tensor): boolean {
    return this.tracked.has(tensor.storage) || (this.outer?.tracks(tensor) ?? false);
  }

  /** Whether `tidy` must not give a tensor back. */
  needs(tensor: Tensor): boolean {
    return this.needed.has(tensor.root);
  }

  /** Takes over a tensor that `tidy` would have given back. */
  hold(tensor: Tensor): void {
    this.held.add(tensor);
  }

  /**
   * Adds an op. `saved` are the tensors that `backward` reads; `again`, of an op that costs little,
   * makes its result again from them.
   */
  record(
    out: Tensor,
    inputs: readonly Tensor[],
    saved: readonly Tensor[],
    backward: Backward,
    again?: () => Tensor,
  ): void {
    this.tracked.add(out.storage);
    for (const tensor of saved) this.need(tensor);
    this.entries.push({ out, inputs, backward });
    if (again && this.remakes) this.makers.set(out.storage, again);
  }

  /** What makes a tensor again; null where it is to be kept. */
  makerOf({ storage }: Tensor): (() => Tensor) | null {
    return this.makers.get(storage) ?? null;
  }

  /** Returns x rounded to bfloat16, once for all products that read it. */
  inBfloat16(x: Tensor, round: (x: Tensor) => Tensor<"bf16">): Tensor<"bf16"> {
    const known = this.rounded.get(x.storage);
    if (known) return known.reshape(x.shape);
    const rounded = round(x);
    this.rounded.set(x.storage, rounded);
    this.need(rounded);
    return rounded;
  }

  /** Adds work that is not recorded, but run and recorded when its gradients are wanted. */
  recordLater(out: Tensor<"f32">, inputs: readonly Tensor[], body: () => Tensor<"f32">): void {
    this.record(out, [], inputs, (dOut) => {
      const again = new Tape({ precision: this.precision }, this);
      try {
        again.backward([[again.run(body), dOut]]);
      } finally {
        again.release();
      }
      return [];
    });
  }

  private need(tensor: Tensor): void {
    this.needed.add(tensor.root);
  }

  private back({ out, inputs, backward }: Entry): void {
    const gradient = this.gradients.take(out.storage);
    if (!gradient) return;
    const wanted = inputs.map((input) => this.tracks(input));
    const sums = inputs.map(({ storage }, i) => (wanted[i] ? this.gradients.sumOf(storage) : null));
    const dOut = gradient.tensor.reshape(out.shape);
    const before = open.tape;
    open.tape = null;
    try {
      const results = backward(dOut, wanted, sums);
      for (const [i, input] of inputs.entries()) {
        const result = results[i];
        if (result && wanted[i] && result !== sums[i]) this.gradients.add(input.storage, result);
      }
    } finally {
      open.tape = before;
    }
    gradient.drop();
  }
}

/** Returns the tape that records now, if any of the inputs is tracked by it. */
function recordingTape(inputs: readonly Tensor[]): Tape | null {
  const { tape } = open;
  return tape && inputs.some((input) => tape.tracks(input)) ? tape : null;
}

/** Whether the open tape wants the gradient by a tensor. */
export function isTracked(tensor: Tensor): boolean {
  return recordingTape([tensor]) !== null;
}

/**
 * Records an op whose result is `out` on the open tape, if an input is tracked. Returns `out`.
 * @param saved the tensors that `backward` reads; by default the inputs
 */
export function record<T extends Tensor>(
  out: T,
  inputs: readonly Tensor[],
  backward: Backward,
  saved: readonly Tensor[] = inputs,
): T {
  recordingTape(inputs)?.record(out, inputs, saved, backward);
  return out;
}

/**
 * Runs and records an op that costs little: `body` makes its result from `inputs`, which `backward`
 * reads, and may be run again in the backward pass.
 */
export function recordCheap<T extends Tensor>(
  inputs: readonly Tensor[],
  body: () => T,
  backward: Backward,
): T {
  const out = body();
  recordingTape(inputs)?.record(out, inputs, inputs, backward, body);
  return out;
}

/** A tensor that a backward pass reads. */
export interface Operand {
  /** What must be kept for it. */
  readonly saved: readonly Tensor[];
  /** Reads it in the backward pass; one that was made again for this is given back. */
  use<R>(body: (tensor: Tensor) => R): R;
}

/** How the open tape gives a tensor to a backward pass: it is kept, or made again. */
export function operandOf(tensor: Tensor): Operand {
  const again = open.tape?.makerOf(tensor);
  if (!again) return { saved: [tensor], use: (body) => body(tensor) };
  const { shape } = tensor;
  return {
    saved: [],
    use: (body) => {
      const made = again();
      const result = body(made.reshape(shape));
      made.release();
      return result;
    },
  };
}

/**
 * Runs `body` without keeping what its gradients need; the backward pass runs it again. Trades time
 * for memory, block by block. `inputs` are the activations that `body` starts from: they are kept.
 */
export function recompute(inputs: readonly Tensor[], body: () => Tensor<"f32">): Tensor<"f32"> {
  const { tape } = open;
  if (!tape) return body();
  open.tape = null;
  let out: Tensor<"f32">;
  try {
    out = tidy(body);
  } finally {
    open.tape = tape;
  }
  tape.recordLater(out, inputs, body);
  return out;
}

/** How the products of the open `run` multiply; `f32` outside. */
export function openPrecision(): TapePrecision {
  return open.precision;
}

/** Returns x in bfloat16; within a recording, the copy that other products have made already. */
export function roundedOnce(x: Tensor, round: (x: Tensor) => Tensor<"bf16">): Tensor<"bf16"> {
  if (x.dtype === "bf16") return x as Tensor<"bf16">;
  return open.tape ? open.tape.inBfloat16(x, round) : round(x);
}

/**
 * Refuses to lose gradients in an op that has none.
 * @throws UnsupportedError when gradients flow to an input
 */
export function expectUntracked(what: string, ...inputs: readonly Tensor[]): void {
  if (!recordingTape(inputs)) return;
  throw new UnsupportedError(`${what} cannot be differentiated`, {
    hint: "train with float weights, or with packed ones that are decoded (decodePacked)",
  });
}
