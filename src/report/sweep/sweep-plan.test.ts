import { expect, test } from "vitest";
import type { PlannedPoint, SweepPlan } from "../../sweep/sweep-events.ts";
import { layoutOf } from "../style.ts";
import { formatSweepPlan } from "./sweep-plan.ts";

