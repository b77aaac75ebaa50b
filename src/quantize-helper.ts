import { quantize } from "./index.ts";
import type { MakeOrder, MakeNews } from "./sweep/make-checkpoint.ts";
import type { RunRecord } from "./run/run-record.ts";
import { serveParent } from "./platform/node.ts";

/*
 * The process in which a sweep makes a checkpoint, so that the memory that this takes is measured
 * for itself, and a point that needs too much does not end the sweep.
 */

serveParent<MakeOrder, MakeNews, RunRecord>(async (order, report, signal) => {
  const { model, options } = order;
  const run = quantize(model, { ...options, signal });
  for await (const event of run.events) {
    if (event.type === "stage") report({ type: "stage", stage: event.stage, of: event.stages });
    else if (event.type === "notice") report({ type: "notice", message: event.message });
    else if (event.type === "progress") {
      report({ type: "progress", activity: event.activity, fraction: event.fraction });
    } else if (event.type === "step") {
      const activity = `step ${event.step}`;
      report({ type: "progress", activity, fraction: event.step / event.steps });
    }
  }
  return (await run).record;
});
