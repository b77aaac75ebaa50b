import { describe } from "vitest";
import { comparePerplexity } from "./compare-perplexity.ts";
import { absent, temporaryFolder } from "./shared-models.ts";

/*
 * By default one scheme on the first windows of the text, for time; everything with
 * FEWBIT_FULL_ACCURACY=1.
 */

describe.skipIf(absent)(`prose-6m: gptq ≤ rtn, and both as by PyTorch${absent}`, () => {
  if (absent) return;
  comparePerplexity("prose-6m", temporaryFolder(), {
    schemes: ["w3g64-asym"],
    windows: 32,
    ways: ["rtn", "gptq"],
  });
});
