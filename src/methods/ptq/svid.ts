import { z } from "zod";
import { defineMethod } from "../define-method.ts";
import { decompositionOptions, separateSigns, storesSignValues } from "../shared/sign-values.ts";

/**
 * SVID (sign-value-independent decomposition): `W ≈ sign(W) ⊙ (h·gᵀ)` with the rank-1 approximation
 * `|W| ≈ h·gᵀ`; sign(0) = +1. Needs no data. Source: OneBit, arXiv 2402.11295, section 3.2 and
 * equation 5.
 *
 * At rank 1 the best non-negative factors are the leading singular vectors of `|W|` (Perron and
 * Frobenius), so both ways end at the same vectors. Since `‖W − sign(W) ⊙ h·gᵀ‖ = ‖|W| − h·gᵀ‖`, no
 * other signs and no alternating refinement of signs and scales (ARB-RC, arXiv 2410.03129) come
 * closer to W; what comes closer to W's outputs is `arb`.
 *
 * Deviation: g is rounded to float16 first, and h is the least-squares answer to the rounded g.
 */
export default defineMethod({
  id: "svid",
  title: "SVID",
  summary: "signs with scales of rows and columns; needs no calibration data",
  role: "quantizer",
  paper: { arxiv: "2402.11295" },
  needs: { statistics: [] },
  supports: storesSignValues,
  options: z.object(decompositionOptions),
  quantizeLinear: async ({ weight, scheme, options }) => ({
    weight: await separateSigns(weight, scheme, options),
  }),
});
