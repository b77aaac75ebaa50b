import type { z } from "zod";
import type { Hessian } from "../calibration/statistics/hessian.ts";
import type { QTensor } from "../quant/q-tensor.ts";
import type { Scheme } from "../quant/scheme.ts";
import type { Tensor } from "../tensor/tensor.ts";

/** Where a method stands in a recipe: transforms*, exactly one quantizer, finishers*. */
export type MethodRole = "transform" | "quantizer" | "finisher" | "allocation";

/** One linear layer to be quantized. */
export interface LinearProblem<Options> {
  /** Name of the module, for messages. */
  readonly name: string;
  /** `W [out, in]` f32. The method owns it and may overwrite it. */
  readonly weight: Tensor<"f32">;
  readonly scheme: Scheme;
  /** Second moments of the layer's inputs; null unless the method needs them. */
  readonly hessian: Hessian | null;
  readonly options: Options;
}

/** What a quantizer made of one linear layer. */
export interface QuantizedLinear {
  readonly weight: QTensor;
  /** The damping that the Hessian was given at last, as a fraction of its mean diagonal. */
  readonly damping?: number;
  /** Why the layer was quantized by a simpler way than asked for; absent when it was not. */
  readonly fallback?: string;
}

/** The definition of a method; see `defineMethod`. */
export interface MethodDefinition<Id extends string, Schema extends z.ZodObject> {
  readonly id: Id;
  readonly title: string;
  /** One sentence for menus and help texts. */
  readonly summary: string;
  readonly role: MethodRole;
  readonly paper?: { readonly arxiv: string };
  readonly needs: {
    /** Statistics of each linear's inputs that the pipeline has to gather. */
    readonly statistics: readonly "hessian"[];
    /** Whether inputs must come from the quantized prefix, block after block. */
    readonly order: "sequential" | "independent";
  };
  /** Whether the method can quantize under a scheme. */
  readonly supports: (scheme: Scheme) => boolean;
  readonly options: Schema;
  readonly quantizeLinear?: (problem: LinearProblem<z.output<Schema>>) => Promise<QuantizedLinear>;
}

/** A method whose options are not known to the compiler, as shared code sees it. */
export interface Method extends Omit<MethodDefinition<string, z.ZodObject>, "quantizeLinear"> {
  readonly quantizeLinear?: (
    problem: LinearProblem<Record<string, unknown>>,
  ) => Promise<QuantizedLinear>;
}

/** A declared method: its options keep their own types, and shared code can take it as a `Method`. */
export type DefinedMethod<Id extends string, Schema extends z.ZodObject> = MethodDefinition<
  Id,
  Schema
> &
  Pick<Method, "quantizeLinear">;

/** Declares a method. The returned value is all that the rest of fewbit knows of it. */
export function defineMethod<const Id extends string, Schema extends z.ZodObject>(
  definition: MethodDefinition<Id, Schema>,
): DefinedMethod<Id, Schema> {
  return Object.freeze(definition) as DefinedMethod<Id, Schema>;
}
