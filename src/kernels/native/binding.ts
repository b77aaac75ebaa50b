import type { KernelName, Kernels, Storage, TensorView } from "../../backend/kernels.ts";
import { type Axis, type BufferRule, placeRule, storageOf } from "./buffer-rule.ts";
import type { NativeQueue } from "./queue.ts";

/** A rule for each buffer of an op; null for an array that C gets as it is, or NULL. */
type Rules<Name extends string> = readonly (BufferRule<Name | number, boolean> | null)[];

/** What rules are for. */
type GivenBy<Buffers> = {
  readonly [I in keyof Buffers]: Buffers[I] extends BufferRule<Axis, infer IsOptional>
    ? TensorView | (IsOptional extends true ? null | undefined : never)
    : Storage | null;
};

type Names = readonly string[];

type NumberFor<List extends Names> = { readonly [I in keyof List]: number };

/** How the C op of a kernel is called; `Args` are the arguments of the kernel. */
interface Declaration<
  Args extends readonly unknown[],
  Buffers extends readonly unknown[],
  Sizes extends Names,
  Reals extends Names,
  Lengths extends Names,
> {
  readonly buffers: Buffers;
  /** Integers that C gets after the buffers. */
  readonly sizes: Sizes;
  /** Floats that C gets after the sizes; default none. */
  readonly reals?: Reals;
  /** Lengths that rules name and C does not get; default none. */
  readonly lengths?: Lengths;
  /** What the op is called with: views and arrays by the rules, then sizes, reals and lengths. */
  readonly values: (
    ...args: Args
  ) => readonly [
    ...GivenBy<NoInfer<Buffers>>,
    ...NumberFor<NoInfer<Sizes>>,
    ...NumberFor<NoInfer<Reals>>,
    ...NumberFor<NoInfer<Lengths>>,
  ];
  /** Whether C can do this call; the reference kernel does the others. Default all. */
  readonly covers?: (...args: Args) => boolean;
  /** Checks what the rules cannot say. */
  readonly check?: (...args: Args) => void;
}

type AnyDeclaration = Declaration<readonly unknown[], Rules<string>, Names, Names, Names>;

/** A kernel that has a C op, and how that is called. */
export interface Binding {
  readonly kernel: KernelName;
  /** Name of the C op: that of the kernel in snake case. */
  readonly op: string;
  readonly declaration: AnyDeclaration;
}

/** Declares how the C op of a kernel is called; the signature of the kernel gives the types. */
export function defineBinding<
  K extends KernelName,
  const Buffers extends Rules<NoInfer<Sizes[number] | Reals[number] | Lengths[number]>>,
  const Sizes extends Names,
  const Reals extends Names = readonly [],
  const Lengths extends Names = readonly [],
>(
  kernel: K,
  declaration: Declaration<Parameters<Kernels[K]>, Buffers, Sizes, Reals, Lengths>,
): Binding {
  const op = kernel.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  return { kernel, op, declaration: declaration as unknown as AnyDeclaration };
}

/** Makes the kernel of a binding: it checks what it is given, then appends a call to the queue. */
export function bind(
  { kernel, op, declaration }: Binding,
  queue: NativeQueue,
  fallback: (...args: readonly unknown[]) => void,
): (...args: readonly unknown[]) => void {
  const { buffers, sizes, reals = [], lengths = [], covers, check } = declaration;
  const names = [...sizes, ...reals, ...lengths];
  const rules = buffers.map((rule) => rule && placeRule(kernel, rule, names, buffers.length));
  const passed = buffers.length + sizes.length + reals.length;
  return (...args) => {
    if (covers && !covers(...args)) return fallback(...args);
    const values = declaration.values(...args) as (TensorView | Storage | number | null)[];
    if (check) check(...args);
    for (let i = 0; i < rules.length; i++) {
      const rule = rules[i];
      if (!rule) continue;
      const view = values[i] as TensorView | null;
      values[i] = view || !rule.isOptional ? storageOf(rule, view as TensorView, values) : null;
    }
    if (lengths.length > 0) values.length = passed;
    queue.run(op, values);
  };
}
