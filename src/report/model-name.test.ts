import { expect, test } from "vitest";
import { modelName } from "./model-name.ts";

test("a model is named by the last part of its path, a commit by its first digits", () => {
  expect(modelName("./models/prose-6m/")).toBe("prose-6m");
  expect(modelName("hf:owner/name")).toBe("name");
  expect(modelName("hf:owner/name@v1")).toBe("name@v1");
  expect(modelName(`hf:owner/name@${"0123456789".repeat(4)}`)).toBe("name@0123456");
  expect(modelName("hf:owner/name@v1:q4/m-Q4_0.gguf")).toBe("m-Q4_0.gguf");
});
