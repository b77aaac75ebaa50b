import { quantize, train } from "./index.ts";
import { serveParent } from "./platform/node.ts";
import type { MakeNews, MakeOrder } from "./sweep/make-checkpoint.ts";
import type { CheckpointRecord } from "./sweep/results/sweep-results.ts";

/*
 * The process in which a sweep makes a checkpoint, so that the memory that this takes is measured
 * for itself, and a point that needs too much does not end the sweep.
 */

serveParent<MakeOrder, MakeNews, CheckpointRecord>(async (order, report, signal) => {
  const run =
    order.type === "train"
      ? train(order.config, { ...order.options, signal })
      : quantize(order.model, { ...order.options, signal });
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
