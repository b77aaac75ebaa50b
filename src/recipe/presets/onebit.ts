import { definePreset } from "./define-preset.ts";

/** OneBit (arXiv 2402.11295): signs and value vectors, then distillation from the original. */
export default definePreset({
  id: "onebit",
  title: "OneBit",
  summary: "SVID, then distillation from the original",
  paper: { arxiv: "2402.11295" },
  method: "svid",
  finishers: ["onebit-kd"],
});
