import { fileURLToPath } from "node:url";
import type { LanguageModel } from "../../src/runtime/language-model.ts";
import { Engine } from "../../src/runtime/serving/engine.ts";
import { openLineProcess } from "../line-process.ts";
import {
  type Cost,
  decodedTokens,
  promptOf,
  type StreamsSide,
  startClocks,
} from "./serving-streams.ts";

/** Streams of one engine, in this process. */
export function fewbitStreams(model: LanguageModel, name: string): StreamsSide {
  const engine = new Engine(model, { maxContext: 512, cacheTokens: 8192, prefixCache: false });
  return {
    name,
    decodeTogether: (count) => decodeTogether(engine, count),
    close: () => engine.close(),
  };
}

/** Streams of llama.cpp, in a process of their own; null where it is not installed. */
export async function llamaStreams(
  path: string,
  name: string,
  threads: number,
): Promise<StreamsSide | null> {
  const script = fileURLToPath(new URL("llama-streams-side.ts", import.meta.url));
  const child = await openLineProcess(process.execPath, [script, path, String(threads)]);
  if (!child) return null;
  return {
    name,
    decodeTogether: (count) => child.ask<Cost>(String(count)),
    close: async () => {
      await child.end();
    },
  };
}

async function decodeTogether(engine: Engine, count: number): Promise<Cost> {
  let [begun, tokens] = [0, 0];
  let stop = startClocks();
  const read = async (stream: number): Promise<void> => {
    let first = true;
    const request = { prompt: promptOf(stream), maxTokens: decodedTokens, ignoreEos: true };
    for await (const _ of engine.submit(request)) {
      if (begun === count) tokens++;
      if (!first) continue;
      first = false;
      begun++;
      if (begun === count) [stop, tokens] = [startClocks(), 0];
    }
  };
  await Promise.all(Array.from({ length: count }, (_, stream) => read(stream)));
  return stop(tokens);
}
