import { z } from "zod";
import { defineMethod } from "../define-method.ts";
import { drawOptions, drawRotation } from "../shared/draw-rotation.ts";

const options = z.object(drawOptions);

/**
 * QuaRot (arXiv 2404.00456, section 4, stages 1a to 1c): the residual stream x becomes x·Q with a
 * random rotation Q, and the values of each head v·R, both folded into the weights, behind norms
 * whose weights are folded into the layers that read them. No channel stands out any more, and the
 * model computes what it did, with no op at run time.
 *
 * Deviations from the authors' code: nothing is rotated while the model runs (the inputs of
 * down_proj, the heads among each other, queries and keys); R is drawn, one a block, and is the same
 * on both sides of each head, as in SpinQuant (arXiv 2405.16406); norms that take the mean off get a
 * Q that leaves means as they are.
 */
export default defineMethod({
  id: "quarot",
  title: "QuaRot",
  summary: "rotates the residual stream, so that no channel stands out",
  role: "transform",
  paper: { arxiv: "2404.00456" },
  needs: { statistics: [] },
  supports: () => true,
  caution: ({ id, grid }, { compensates = false } = {}) => {
    if (grid.inputScales) {
      return (
        `${id} has a scale for each column, which takes up what makes columns stand out; rotated, ` +
        "columns are alike, and nothing is left for these scales"
      );
    }
    return compensates
      ? null
      : "plain rounding is often worse behind QuaRot than without it; use a method that works from " +
          "inputs, as `gptq` does";
  },
  options,
  rotateModel: drawRotation,
});
