import { describe } from "vitest";
import { comparePerplexity } from "./compare-perplexity.ts";
import { absent, temporaryFolder } from "./shared-models.ts";

describe.skipIf(absent)(`stories260K: gptq ≤ rtn, and both as by PyTorch${absent}`, () => {
  if (!absent) comparePerplexity("stories260K", temporaryFolder());
});
