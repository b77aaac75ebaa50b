/** How many streams are decoded side by side. */
export const crowds = [1, 4, 8, 16] as const;
/** Tokens of each prompt, and tokens that follow it. */
export const promptTokens = 16;
export const decodedTokens = 24;

/** Seconds of a decoded token of all streams together. */
export interface Cost {
  readonly wall: number;
  /** Of all threads. */
  readonly processor: number;
}

/** A runtime with a model in memory that decodes streams side by side. */
export interface StreamsSide {
  readonly name: string;
  /** Reads a prompt of each stream, then times what comes behind the first token of all. */
  decodeTogether(count: number): Promise<Cost>;
  close(): Promise<void>;
}

/** The prompt of a stream: no two begin alike. */
export function promptOf(stream: number): number[] {
  return Array.from({ length: promptTokens }, (_, i) => 300 + ((i * 7919 + stream * 31) % 20000));
}

/** Clocks of a process, from the call on. */
export function startClocks(): (tokens: number) => Cost {
  const [started, used] = [performance.now(), process.cpuUsage()];
  return (tokens) => {
    const wall = (performance.now() - started) / 1000 / tokens;
    const { user, system } = process.cpuUsage(used);
    return { wall, processor: (user + system) / 1e6 / tokens };
  };
}
