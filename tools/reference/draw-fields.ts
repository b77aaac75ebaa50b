import type { Prng } from "../../src/util/prng.ts";
import { choose, type Json } from "./subject.ts";

/** Fields of a config.json. */
export type Fields = Record<string, Json>;

/** How many tokens the models know. */
export const vocabulary = 72;

/** Takes each field with the given chance. */
export function some(random: Prng, chance: number, all: Fields): Fields {
  return Object.fromEntries(Object.entries(all).filter(() => random.uniform() < chance));
}

/** Yes or no. */
export const yes = (random: Prng): boolean => random.below(2) === 0;

/** A rotation that every program writes so; of as many pairs of channels as are rotated. */
export function makeScaling(
  random: Prng,
  { pairs, only = null }: Pick<RopeForm, "pairs" | "only">,
): Fields {
  const factors = (): number[] => Array.from({ length: pairs }, () => 1 + random.below(4));
  const all: readonly Fields[] = [
    { rope_type: "default" },
    {
      rope_type: "longrope",
      short_factor: factors(),
      long_factor: factors(),
      original_max_position_embeddings: choose(random, [8, 32]),
    },
    { rope_type: "linear", factor: 4 },
    { rope_type: "llama3", factor: 8, low_freq_factor: 1, high_freq_factor: 4, ...context },
    { rope_type: "yarn", factor: 4, ...context },
    // transformers divides by the number of rotated channels less 2.
    ...(pairs > 1 ? [{ rope_type: "dynamic", factor: 2 }] : []),
  ];
  return choose(random, only === null ? all : all.slice(0, only));
}

const context = { original_max_position_embeddings: 32 };

interface RopeForm {
  readonly pairs: number;
  readonly theta?: string;
  readonly share?: Fields;
  /** How many of the kinds of rotation the family has; null for all. */
  readonly only?: number | null;
}

/** The rotation in the form of transformers 4 or 5. */
export function makeRope(
  random: Prng,
  { pairs, theta = "rope_theta", share = {}, only = null }: RopeForm,
): Fields {
  const base = choose(random, [500, 10_000, 5000.5]);
  const scaling = makeScaling(random, { pairs, only });
  if (yes(random)) {
    const inner =
      Object.keys(share).length > 0 ? { partial_rotary_factor: Object.values(share)[0] } : {};
    return { rope_parameters: { rope_theta: base, ...scaling, ...inner } };
  }
  const { rope_type, ...rest } = scaling;
  const spelled = choose<Fields>(random, [{ rope_type }, { type: rope_type }]);
  const isPlain = rope_type === "default";
  return { [theta]: base, ...share, ...(isPlain ? {} : { rope_scaling: { ...spelled, ...rest } }) };
}

/** Heads, and how wide they are. */
export function makeHeads(random: Prng): { heads: number; width: number; sizes: Fields } {
  const heads = choose(random, [2, 4]);
  const width = 32 / heads;
  const sizes = {
    hidden_size: 32,
    intermediate_size: choose(random, [24, 44]),
    num_hidden_layers: 2 + random.below(2),
    num_attention_heads: heads,
    vocab_size: vocabulary,
    max_position_embeddings: 64,
    pad_token_id: 0,
    bos_token_id: 1,
    eos_token_id: 2,
  };
  return { heads, width, sizes };
}

/** Fewer key heads than heads, or as many. */
export const kvHeads = (random: Prng, heads: number): Fields => ({
  num_key_value_heads: choose(random, [1, 2, heads]),
});
/** An epsilon of norms. */
export const epsilon = (random: Prng): number => choose(random, [1e-5, 1e-2]);
/** Which blocks slide. */
export const layerTypes = (random: Prng, blocks: Json): Json =>
  Array.from({ length: Number(blocks) }, () =>
    choose(random, ["full_attention", "sliding_attention"]),
  );
