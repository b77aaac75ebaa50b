import { createNativeBackend } from "../../src/kernels/native/native-backend.ts";
import { measureNativeLimits } from "../../src/kernels/native/native-limits.ts";
import type { MachineTable } from "../../src/machines/machine-table.ts";
import { measureMachine } from "../../src/machines/measure/measure-machine.ts";

/** Times this machine's kernels on one thread; with `FEWBIT_BENCH_QUICK=1` the usual ones. */
export async function measureTable(): Promise<MachineTable> {
  const backend = createNativeBackend({ threads: 1 });
  const limitsOf = (): ReturnType<typeof measureNativeLimits> =>
    measureNativeLimits(backend.level, 1);
  const quick = process.env["FEWBIT_BENCH_QUICK"] === "1";
  const table = await measureMachine({ backends: [backend], limitsOf, quick });
  backend.close();
  return table;
}
