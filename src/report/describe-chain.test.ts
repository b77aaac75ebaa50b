import { expect, test } from "vitest";
import { presets } from "../recipe/presets/index.ts";
import { describeChain } from "./describe-chain.ts";

test.each([
  [["gptq"], "gptq"],
  [["awq", "rtn"], "awq, rtn"],
  [["block-ap", "e2e-qp"], "EfficientQAT (block-ap, e2e-qp)"],
  [["svid", "onebit-kd"], "OneBit (svid, onebit-kd)"],
  [["awq", "block-ap", "e2e-qp"], "awq, block-ap, e2e-qp"],
  [["block-ap", "e2e-qp", "e2e-qp"], "block-ap, e2e-qp, e2e-qp"],
])("what %j made is described as %s", (methods, said) => {
  expect(describeChain(methods)).toBe(said);
});

test("each preset is named by its title", () => {
  for (const { title, method, finishers } of Object.values(presets)) {
    expect(describeChain([method, ...finishers])).toMatch(new RegExp(`^${title} \\(`));
  }
});
