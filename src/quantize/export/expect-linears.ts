import type { QuantizedModule } from "../../formats/quantization-config.ts";
import { UnsupportedError } from "../../util/errors.ts";

/**
 * Checks that all layers are products with a weight.
 * @throws UnsupportedError when some are more than that: no other program computes them
 */
export function expectPlainLinears(modules: ReadonlyMap<string, QuantizedModule>): void {
  const other = [...modules].filter(([, { kind }]) => kind !== "linear");
  const [first] = other;
  if (!first) return;
  throw new UnsupportedError(
    `${other.length} layers, the first of them ${first[0]}, are of the kind ${first[1].kind}: ` +
      "no plain linear computes what they do, so that no other program could load the export",
    { hint: "use the checkpoint with fewbit as it is" },
  );
}
