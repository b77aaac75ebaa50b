import { z } from "zod";
import { hasIndependentGroups } from "../../quant/scheme.ts";
import { defineMethod } from "../define-method.ts";
import { roundToNearest } from "../shared/quantize-columns.ts";
import { scaleSearch, scaleSearchOptions } from "../shared/scale-search.ts";

/**
 * Round to nearest: each weight goes to the nearest value of its group's grid. Needs no data. With
 * `mse` the range of each group is shrunk to the one with the least error.
 */
export default defineMethod({
  id: "rtn",
  title: "RTN",
  summary: "round to nearest; needs no calibration data",
  role: "quantizer",
  needs: { statistics: [] },
  supports: hasIndependentGroups,
  options: z.object(scaleSearchOptions(false)),
  quantizeLinear: async ({ weight, scheme, options }) => ({
    weight: await roundToNearest(weight, scheme, scaleSearch(options)),
  }),
});
