import type { EngineRequest } from "../../runtime/serving/engine-request.ts";
import type { SamplingFields } from "../schemas/sampling.ts";

type Chosen = Pick<EngineRequest, "sampling" | "stop" | "ignoreEos"> & { readonly seed?: number };

/** Fields without a value are those that were left out. */
function given<T extends object>(values: T): { [K in keyof T]: NonNullable<T[K]> } {
  const entries = Object.entries(values).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as { [K in keyof T]: NonNullable<T[K]> };
}

/** Turns the fields of a request into the engine's; OpenAI's defaults are those of plain sampling. */
export function readSampling(request: SamplingFields): Chosen {
  const { stop, seed, logit_bias: bias, top_k: topK } = request;
  const sampling = given({
    temperature: request.temperature ?? 1,
    topP: request.top_p ?? undefined,
    // −1 means all in vLLM, 0 in llama.cpp and here.
    topK: topK === undefined || topK === null ? undefined : Math.max(0, topK),
    minP: request.min_p ?? undefined,
    repetitionPenalty: request.repetition_penalty ?? undefined,
    frequencyPenalty: request.frequency_penalty ?? undefined,
    presencePenalty: request.presence_penalty ?? undefined,
    logitBias: bias ? new Map(Object.entries(bias).map(([id, x]) => [Number(id), x])) : undefined,
  });
  const stops = stop === undefined || stop === null ? [] : [stop].flat();
  const seeds = seed === undefined || seed === null ? {} : { seed: seed >>> 0 };
  return { sampling, stop: stops, ignoreEos: request.ignore_eos ?? false, ...seeds };
}
