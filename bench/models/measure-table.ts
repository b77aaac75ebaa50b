import { createNativeBackend } from "../../src/kernels/native/native-backend.ts";
import { measureNativeLimits } from "../../src/kernels/native/native-limits.ts";
import type { MachineTable } from "../../src/machines/machine-table.ts";
import { measureMachine } from "../../src/machines/measure/measure-machine.ts";

/**
 * Times this machine's kernels for some schemes and dtypes on one thread; with `FEWBIT_BENCH_QUICK=1`
 * at fewer shapes.
 */
export async function measureTable(storages: readonly string[]): Promise<MachineTable> {
  const backend = createNativeBackend({ threads: 1 });
  const limitsOf = (): ReturnType<typeof measureNativeLimits> =>
    measureNativeLimits(backend.level, 1);
  const quick = process.env["FEWBIT_BENCH_QUICK"] === "1";
  const table = await measureMachine({ backends: [backend], limitsOf, quick, storages });
  backend.close();
  return table;
}
