import type { Bindings } from "../binding.ts";
import { add } from "./add.ts";
import { matmul } from "./matmul.ts";

/** Every op that has a native kernel: one line an op. */
export const bindings: Bindings = {
  add,
  matmul,
};
