import { z } from "zod";
import { hasIndependentGroups } from "../../quant/scheme.ts";
import { defineMethod } from "../define-method.ts";
import { chooseBlocks } from "../shared/block-search.ts";
import { roundToNearest } from "../shared/quantize-columns.ts";
import { scaleSearch, scaleSearchOptions } from "../shared/scale-search.ts";

/**
 * Round to nearest: each weight goes to the nearest value of its group's grid. Needs no data. With
 * `mse` the range of each group is shrunk to the one with the least error. Blocks of ggml's types
 * are chosen by the searches of ggml, with the importance of columns where it is known.
 */
export default defineMethod({
  id: "rtn",
  title: "RTN",
  summary: "round to nearest; needs no calibration data",
  role: "quantizer",
  needs: { statistics: [] },
  usesImportance: true,
  supports: (scheme) => scheme.blocks !== null || hasIndependentGroups(scheme),
  options: z.object(scaleSearchOptions(false)),
  quantizeLinear: async ({ weight, scheme, importance = null, options }) => ({
    weight: scheme.blocks
      ? await chooseBlocks(weight, scheme, importance)
      : await roundToNearest(weight, scheme, scaleSearch(options)),
  }),
});
