import { z } from "zod";
import { defineMethod } from "../define-method.ts";
import { distillOneBit, oneBitDefaults, oneBitOptions } from "../shared/distill-one-bit.ts";
import { decompositionOptions, storesSignValues } from "../shared/sign-values.ts";
import { trainingEffort } from "../shared/training-options.ts";

/**
 * OneBit (arXiv 2402.11295; defaults as in xuyuzhuang11/OneBit): linears become signs and two value vectors with a LayerNorm behind
 * the product (scheme `w1-onebit`), by SVID to begin with; then all of the model is trained to give the original's
 * predictions and hidden states. Signs are trained by way of float weights, whose gradient passes the sign as 1.001 − tanh²(W).
 *
 * Deviations from the authors' code: the KL divergence is a mean over tokens (theirs, 0.01 times the sum over tokens by the
 * number of sequences, is kdWeight 0.01 times the tokens of a window); both vectors are rounded to float16 in the forward
 * pass already, and sign(0) = +1, so that the packed model is the trained one; weight decay is for the float weights alone.
 */
export default defineMethod({
  id: "onebit",
  title: "OneBit",
  summary: "trains signs and value vectors to give the original's predictions and hidden states",
  role: "quantizer",
  paper: { arxiv: "2402.11295" },
  needs: { statistics: [], order: "independent", teacher: true },
  supports: storesSignValues,
  options: z.object({ ...oneBitOptions, ...decompositionOptions }),
  effort: (chosen, data) => trainingEffort(chosen, data, oneBitDefaults),
  trainModel: distillOneBit,
});
