import type { Architecture } from "../architecture.ts";
import { mistral } from "./mistral.ts";

/** Ministral: what transformers 5 calls a Mistral with `layer_types`. */
export const ministral: Architecture = { ...mistral, modelType: "ministral", title: "Ministral" };
