import { quantize, type QuantizeOptions, type RunRecord } from "../../src/index.ts";

/** Runs a quantization to its end. */
export async function run(model: string, options: QuantizeOptions): Promise<RunRecord> {
  return (await quantize(model, options)).record;
}

/** What an attempt is refused with. */
export async function refusal(attempt: Promise<unknown>): Promise<unknown> {
  return attempt.then(
    () => null,
    (error: unknown) => error,
  );
}
