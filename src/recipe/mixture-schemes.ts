import { type CheckpointNames, GgufNames } from "../formats/gguf/tensor-names.ts";
import { mixtureFormats, mixtureType } from "../quant/mixture-type.ts";
import { findMixture, type MixedModel, type Mixture } from "../quant/mixtures.ts";
import { parseScheme, type Scheme } from "../quant/scheme.ts";
import { SchemeError } from "../util/errors.ts";
import { formatCount } from "../formats/wording.ts";

/**
 * The schemes that a mixture gives to the weights of a model, by the rules of llama-quantize, and
 * where it gave way to the shape of a weight.
 */
export class MixtureSchemes {
  private readonly mixture: Mixture;
  private readonly model: MixedModel;
  private readonly names: GgufNames;
  private readonly replaced = new Map<string, Set<string>>();

  /** @param names of the model's modules: mixtures go by those that GGUF files have */
  constructor(mixture: Mixture, model: MixedModel, names: CheckpointNames) {
    this.mixture = mixture;
    this.names = new GgufNames(names);
    this.model = model;
  }

  /** The scheme of a module with rows of so many columns; null: it stays in floats. */
  of(module: string, columns: number): Scheme | null {
    const name = this.names.toGguf(module) ?? module;
    const { type, insteadOf } = mixtureType(this.mixture, { name, columns }, this.model);
    if (insteadOf !== null) this.note(`${type} in the place of ${insteadOf}`, module);
    return type === "f16" || type === "bf16" ? null : parseScheme(type);
  }

  /** What a user should know of the choice, a sentence each. */
  notices(): string[] {
    const { name, needsImportance = false } = this.mixture;
    const places = [...this.replaced].map(([what, modules]) => {
      const count = `${formatCount(modules.size)} ${modules.size === 1 ? "weight" : "weights"}`;
      return `${name}: ${count} whose rows are no whole blocks: ${what}`;
    });
    if (!needsImportance || this.model.importance) return places;
    return [`${name} is meant for weights whose importance is known: give \`imatrix\``, ...places];
  }

  private note(what: string, module: string): void {
    const modules = this.replaced.get(what) ?? new Set();
    this.replaced.set(what, modules.add(module));
  }
}

/**
 * Returns the mixture that an id names; null when it is that of a scheme.
 * @throws SchemeError for a mixture that leaves all weights in floats
 */
export function mixtureOf(id: string): Mixture | null {
  const mixture = findMixture(id);
  if (!mixture) return null;
  if (mixture.usual !== "f16" && mixture.usual !== "bf16") return mixture;
  throw new SchemeError(`${id} leaves all weights in floats: nothing is quantized to it`, {
    hint: "export the model itself as a GGUF file of this type",
  });
}

/** The scheme of an id; of a mixture that of most of its layers. @throws SchemeError */
export function usualScheme(id: string): Scheme {
  return parseScheme(mixtureOf(id)?.usual ?? id);
}

/** All schemes that an id may give to linear layers whose rows are whole blocks. @throws SchemeError */
export function possibleSchemes(id: string): Scheme[] {
  const mixture = mixtureOf(id);
  if (!mixture) return [parseScheme(id)];
  const models = [1, 8].flatMap((experts) =>
    [2, 8].map((kvHeads) => ({ blocks: 32, heads: 8, kvHeads, experts, tied: false })),
  );
  const formats = models.flatMap((model) =>
    mixtureFormats(mixture, { ...model, importance: true }),
  );
  return [...new Set(formats)].map((format) => parseScheme(format));
}
