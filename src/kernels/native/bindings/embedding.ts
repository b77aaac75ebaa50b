import { elementCount } from "../../../tensor/shape.ts";
import type { Binding } from "../binding.ts";
import { dtypeCode, expectCount, storageOf } from "../checks.ts";

/** `native/ops/embedding.c` */
export const embedding: Binding<"embedding"> = (queue) => (out, table, ids) => {
  const [vocabulary = 0, width = 0] = table.shape;
  const tokens = elementCount(ids.shape);
  expectCount("embedding: elements of out", elementCount(out.shape), tokens * width);
  queue.run(
    "embedding",
    [
      storageOf("embedding out", out, "f32"),
      storageOf("embedding table", table, "f32", "f16", "bf16"),
      storageOf("embedding ids", ids, "i32"),
    ],
    [tokens, width, vocabulary, dtypeCode[table.dtype] ?? -1],
  );
};
