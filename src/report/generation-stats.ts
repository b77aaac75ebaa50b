import { formatBytes, formatNumber, formatPlural } from "./format.ts";
import { joinParts } from "./plan-summary.ts";
import type { Layout } from "./style.ts";

/** What a generation cost, as far as it is reported. */
export interface GenerationFigures {
  readonly promptTokens: number;
  readonly generatedTokens: number;
  readonly finishReason: "eos" | "stop" | "length";
  readonly prefillTokensPerSecond: number;
  readonly decodeTokensPerSecond: number;
  /** How packed weights were multiplied; generation is fast unless asked. */
  readonly products: "fast" | "exact";
  /** What keys and values were kept as. */
  readonly kvCache: "f32" | "f16" | "i8" | "i4";
  /** They did not fit into float16, which was to keep them. */
  readonly kvCacheOverflowed: boolean;
  /** Bytes of the key-value cache at the end. */
  readonly kvCacheBytes: number;
}

const reasons = {
  eos: "the text ended",
  stop: "a stop text came",
  length: "as long as asked",
} as const;

/** Says in one line how fast a text was generated, and why it ended. */
export function formatGenerationStats(figures: GenerationFigures, layout: Layout): string[] {
  const { promptTokens, generatedTokens } = figures;
  const parts = [
    `${formatPlural(generatedTokens, "token")}${speed(figures.decodeTokensPerSecond)}`,
    `prompt ${formatPlural(promptTokens, "token")}${speed(figures.prefillTokensPerSecond)}`,
    `${figures.kvCache} cache of ${formatBytes(figures.kvCacheBytes)}` +
      (figures.kvCacheOverflowed ? " (keys or values do not fit into float16)" : ""),
    ...(figures.products === "exact" ? ["exact products"] : []),
    reasons[figures.finishReason],
  ];
  return joinParts(parts, layout).map((line) => layout.style(line, "dim"));
}

function speed(tokensPerSecond: number): string {
  return tokensPerSecond > 0 ? ` at ${formatNumber(tokensPerSecond)} tokens/s` : "";
}
