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
  q2_k_s: 21,
  bf16: 32,
  tq1_0: 36,
  tq2_0: 37,
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
