/**
 * Numbers of `general.file_type`: what most weights of a file are, under the names of
 * `llama_ftype`, in lower case. Source: include/llama.h of ggml-org/llama.cpp.
 */
const numbers: Readonly<Record<string, number>> = {
  f32: 0,
  f16: 1,
  q4_0: 2,
  q4_1: 3,
  q8_0: 7,
  q5_0: 8,
  q5_1: 9,
  q2_k: 10,
  q3_k_s: 11,
  q3_k_m: 12,
  q3_k_l: 13,
  q4_k_s: 14,
  q4_k_m: 15,
  q5_k_s: 16,
  q5_k_m: 17,
  q6_k: 18,
  iq2_xxs: 19,
  iq2_xs: 20,
  q2_k_s: 21,
  iq3_xs: 22,
  iq3_xxs: 23,
  iq1_s: 24,
  iq4_nl: 25,
  iq3_s: 26,
  iq3_m: 27,
  iq2_s: 28,
  iq2_m: 29,
  iq4_xs: 30,
  iq1_m: 31,
  bf16: 32,
  tq1_0: 36,
  tq2_0: 37,
  mxfp4_moe: 38,
  nvfp4: 39,
  q1_0: 40,
  q2_0: 41,
};

/**
 * Returns the number of a mixture (`q4_k_m`) or, where most weights are of one type, of this type:
 * a type that has no name of its own there is the smallest mixture of it.
 */
export function fileTypeOf(name: string): number {
  const lower = name.toLowerCase();
  return numbers[lower] ?? numbers[`${lower}_s`] ?? 0;
}

const names: ReadonlyMap<number, string> = new Map(
  Object.entries(numbers).map(([name, number]) => [number, name]),
);

/** Returns the name that a number of `general.file_type` stands for; undefined when there is none. */
export function fileTypeName(number: number): string | undefined {
  return names.get(number);
}
