import { connect } from "node:net";
import { setTimeout as wait } from "node:timers/promises";

/* Clients that send what no server wants, or do not stay for the answer. */

/** A client that must be refused; resolves to what is wrong with the answer, null for nothing. */
export type Hostile = (url: string) => Promise<string | null>;

const path = "/v1/completions";
const json = { "content-type": "application/json" };

/** Sends a body that is to be refused in OpenAI's form. */
function refused(body: string | Uint8Array<ArrayBuffer>, expected: number, route = path): Hostile {
  return async (url) => {
    const response = await fetch(url + route, { method: "POST", headers: json, body });
    const text = await response.text();
    const told = JSON.parse(text) as { error?: { message?: unknown; type?: unknown } };
    const isTold = typeof told.error?.message === "string" && typeof told.error.type === "string";
    if (response.status === expected && isTold) return null;
    return `expected ${expected} in OpenAI's form, got ${response.status}: ${text.slice(0, 200)}`;
  };
}

/** Sends bytes of its own making and leaves after a while, whatever comes. */
function rude(bytes: (host: string) => string, staysMs: number): Hostile {
  return async (url) => {
    const { hostname, port, host } = new URL(url);
    const socket = connect(Number(port), hostname);
    // It may be cut by the server, which is as it should be.
    socket.on("error", () => {});
    socket.pause();
    socket.write(bytes(host));
    await wait(staysMs);
    socket.destroy();
    return null;
  };
}

function postOf(host: string, body: string): string {
  const head = [`POST ${path} HTTP/1.1`, `Host: ${host}`, "Content-Type: application/json"];
  return [...head, `Content-Length: ${body.length}`, "", body].join("\r\n");
}

const endless = JSON.stringify({ prompt: "The", max_tokens: 64, stream: true, logprobs: 20 });

/** `bodyBytes`: the largest body that the server takes; `mostTokens`: its context. */
export function hostileClients(bodyBytes: number, mostTokens: number): readonly Hostile[] {
  const tooLong = Array.from({ length: mostTokens + 1 }, () => 5);
  return [
    refused('{"prompt":', 400),
    refused('{"prompt":"x","temperature":"hot"}', 400),
    refused('{"prompt":"x","n":1000000000}', 400),
    refused('{"prompt":"x","logit_bias":{"the":1}}', 400),
    refused('{"prompt":"x","model":"../../etc/passwd"}', 404),
    refused(JSON.stringify({ prompt: tooLong }), 400),
    refused(`{"prompt":${"[".repeat(10_000)}`, 400),
    refused(Uint8Array.of(0xff, 0xfe, 0x00), 400),
    refused(new Uint8Array(bodyBytes + 1).fill(0x20), 413),
    refused("{}", 404, "/v1/../../etc/passwd"),
    rude(() => "GET / HTTP/9.9\r\n\r\n\0\0\0", 100),
    rude((host) => postOf(host, endless).slice(0, -10), 300),
    // Asks and reads nothing.
    rude((host) => postOf(host, endless), 3000),
    // Asks and is gone before anything can be there.
    rude((host) => postOf(host, endless), 1),
  ];
}
