import type { Backend } from "../../src/backend/backend.ts";
import {
  createNativeBackend,
  nativeAvailability,
} from "../../src/kernels/native/native-backend.ts";
import { createReferenceBackend } from "../../src/kernels/reference/index.ts";

/** A backend under test, or why it cannot be tested on this machine. */
export interface Subject {
  readonly title: string;
  /** Why the backend is absent, or null. */
  readonly missing: string | null;
  readonly open: () => Backend;
}

const nativeLevels = ["portable", "avx2", "avx512", "amx", "neon"] as const;

/** Every backend that the conformance suites run on; the native one at every instruction level. */
export const subjects: readonly Subject[] = [
  { title: "reference", missing: null, open: createReferenceBackend },
  ...nativeLevels.map((level) => ({
    title: `native, level ${level}, 2 threads`,
    missing: reasonForAbsence(level),
    open: () => createNativeBackend({ level, threads: 2 }),
  })),
];

function reasonForAbsence(level: string): string | null {
  const native = nativeAvailability();
  if (!native.available) return native.reason;
  if (native.levels.some(({ name }) => name === level)) return null;
  return "this CPU does not run it";
}
