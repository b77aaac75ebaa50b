import { describeMachine } from "../platform/node.ts";
import { BackendError } from "../util/errors.ts";
import type { MachineLimits } from "./consequences.ts";
import { usualEnergy } from "./layer-costs.ts";
import type { MachineTable } from "./machine-table.ts";
import {
  describedPlanMachine,
  describedPlanMachines,
  machineOfTable,
  type PlanMachine,
} from "./plan-model.ts";
import { findMachineTable, readMachineTable } from "./table-file.ts";

/** For which machines a plan is made. */
export interface PlanMachines {
  /**
   * `this`, ids of described machines, `all`, or files of `measureMachine`; default this one and all
   * that are described.
   */
  readonly machines?: readonly string[] | undefined;
  /** Threads of timed machines; default the usual number. */
  readonly threads?: number | undefined;
  /** Takes what should be known of the machines, a line each. */
  readonly onNotice?: (notice: string) => void;
}

/** Finds the machines that are asked for. @throws UsageError FormatError */
export async function machinesOf(
  { machines = ["this", "all"], threads }: PlanMachines,
  here: () => Promise<PlanMachine | null>,
): Promise<PlanMachine[]> {
  const found: PlanMachine[] = [];
  for (const name of machines) {
    if (name === "this") found.push(...[(await here()) ?? []].flat());
    else if (name === "all") found.push(...describedPlanMachines());
    else if (/\.json$/i.test(name)) {
      found.push(machineOfTable(name, await readMachineTable(name), threads));
    } else found.push(describedPlanMachine(name));
  }
  return [...new Map(found.map((machine) => [machine.id, machine])).values()];
}

/**
 * Describes this machine: by its table, or where none was measured by its bandwidth and peak, for
 * which a second is enough; null where that cannot be measured either.
 */
export async function machineHere(
  measureLimits: () => Promise<MachineLimits & { readonly threads: number }>,
  { threads, onNotice }: PlanMachines,
): Promise<PlanMachine | null> {
  const table = await findTableHere(onNotice);
  if (table) return machineOfTable("this", table, threads);
  try {
    const { threads: usual, ...limits } = await measureLimits();
    onNotice?.(
      "speeds here are the most that bandwidth and peak allow; `fewbit measure-machine` makes them predictions",
    );
    return hereByLimits(limits, usual);
  } catch (error) {
    if (!(error instanceof BackendError)) throw error;
    onNotice?.(`this machine is left out: ${error.message}`);
    return null;
  }
}

/**
 * Reads the table of this machine, and says where it was measured on another one; null where none was.
 * @throws FormatError
 */
export async function findTableHere(
  onNotice?: (notice: string) => void,
): Promise<MachineTable | null> {
  const table = await findMachineTable();
  const { processor } = describeMachine();
  if (table && table.machine.processor !== processor) {
    onNotice?.(`the table was measured on ${table.machine.processor}, and this is ${processor}`);
  }
  return table;
}

function hereByLimits(limits: MachineLimits, threads: number): PlanMachine {
  const { processor, memoryBytes } = describeMachine();
  return {
    id: "this",
    title: `${processor}, ${threads} thread${threads === 1 ? "" : "s"}`,
    memoryBytes,
    basis: "measured limits",
    limits,
    energy: usualEnergy,
    source: "bandwidth and peak measured just now",
  };
}
