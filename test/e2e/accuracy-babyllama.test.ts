import { describe } from "vitest";
import { comparePerplexity } from "./compare-perplexity.ts";
import { absent, temporaryFolder } from "./shared-models.ts";

/*
 * By default two schemes on the first windows of the text, for time; everything with
 * FEWBIT_FULL_ACCURACY=1.
 */

describe.skipIf(absent)(`babyllama-tok105: gptq ≤ rtn, and both as by PyTorch${absent}`, () => {
  if (absent) return;
  comparePerplexity("babyllama-tok105", temporaryFolder(), {
    schemes: ["w2g64-asym", "w3-asym"],
    windows: 200,
  });
});
