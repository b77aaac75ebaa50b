import { z } from "zod";
import { defineMethod } from "../define-method.ts";
import { scaleSearch, scaleSearchOptions } from "../shared/scale-search.ts";
import { ColumnQuantizer } from "../shared/quantize-columns.ts";

/**
 * Round to nearest: each weight goes to the nearest value of its group's grid. Needs no data. With
 * `mse` the range of each group is shrunk to the one with the least error.
 */
export default defineMethod({
  id: "rtn",
  title: "RTN",
  summary: "round to nearest; needs no calibration data",
  role: "quantizer",
  needs: { statistics: [], order: "independent" },
  supports: (scheme) => scheme.grid.dim === 1,
  options: z.object({ ...scaleSearchOptions }),
  async quantizeLinear({ weight, scheme, options }) {
    const quantizer = new ColumnQuantizer(weight, scheme, scaleSearch(options));
    quantizer.fitAll();
    quantizer.quantize(0, weight.shape[1] ?? 0, null);
    return { weight: await quantizer.finish() };
  },
});
