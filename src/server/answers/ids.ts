import { randomName } from "../../platform/node.ts";

/** Makes an id that no other answer has. */
export function answerId(kind: "chatcmpl" | "cmpl" | "resp" | "msg" | "call"): string {
  return `${kind}${kind === "resp" || kind === "msg" || kind === "call" ? "_" : "-"}${randomName()}`;
}

/** The present in seconds since 1970. */
export function nowSeconds(): number {
  return Math.floor(Date.now() / 1000);
}
