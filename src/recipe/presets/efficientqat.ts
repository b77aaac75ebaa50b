import { definePreset } from "./define-preset.ts";

/** EfficientQAT (arXiv 2407.11062): a block at a time first, then the scales end to end. */
export default definePreset({
  id: "efficientqat",
  title: "EfficientQAT",
  summary: "Block-AP, then E2E-QP",
  paper: { arxiv: "2407.11062" },
  method: "block-ap",
  finishers: ["e2e-qp"],
});
