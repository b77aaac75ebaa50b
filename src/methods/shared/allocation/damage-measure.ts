/**
 * How the harm of a scheme to a layer is foreseen.
 * - `fisher`: `Σ (∂L/∂Y ⊙ ΔY)²` over its outputs, a second-order estimate of the loss (NVIDIA's
 *   AutoQuantize).
 * - `gradient`: `Σ |g ⊙ ΔW|` over its weights, a first-order bound (AutoScheme of Intel's AutoRound).
 * - `importance`: the error of its weights, columns weighted by mean squares of its inputs (as
 *   llama.cpp's `--target-bpw`); needs no gradients.
 * - `divergence`: measured, KL divergence of the model with that one change (exllamav3, EvoPress).
 */
export const damageMeasures = ["fisher", "gradient", "importance", "divergence"] as const;

/** One of `damageMeasures`. */
export type DamageMeasure = (typeof damageMeasures)[number];
