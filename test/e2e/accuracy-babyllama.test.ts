import { describe } from "vitest";
import { comparePerplexity } from "./compare-perplexity.ts";
import { absent, temporaryFolder } from "./shared-models.ts";

/*
 * By default two schemes, for time; everything with
 * FEWBIT_FULL_ACCURACY=1.
 */

describe.skipIf(absent)(`babyllama-tok105: gptq ≤ rtn, and both as by PyTorch${absent}`, () => {
  if (absent) return;
  comparePerplexity("babyllama-tok105", temporaryFolder(), {
    schemes: ["w2g64-asym", "w3-asym"],
  });
});
