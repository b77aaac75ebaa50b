import type { Prng } from "../../src/util/prng.ts";
import {
  hostileNames,
  hostileNumbers,
  hostileTexts,
  hostileValues,
  RawJson,
} from "./hostile-values.ts";

type Holder = Record<string, unknown>;

/** Ends the name of a key that stands twice; taken off when the document is written. */
const again = "\u0000again";

/** A place in a document: what holds it, and its key there. */
interface Place {
  readonly holder: Holder;
  readonly key: string;
  readonly path: string;
}

/** Changes a document at one place, in place; `root.value` is the document. Says what it did. */
export function changeJson(root: { value: unknown }, prng: Prng): string {
  const place = drawPlace(root as Holder, prng);
  const { holder, key, path } = place;
  const what = prng.below(10);
  if (what === 0 && path !== "$") {
    if (Array.isArray(holder)) holder.splice(Number(key), 1);
    else delete holder[key];
    return `${path} left out`;
  }
  if (what === 1 && path !== "$" && !Array.isArray(holder)) return renameKey(place, prng);
  if (what === 2) {
    const other = drawPlace(root as Holder, prng);
    if (!isWithin(other, place)) {
      put(holder, key, structuredCloneOf(other.holder[other.key]));
      return `${path} = ${other.path}`;
    }
  }
  if (what === 3) {
    const count = draw([2, 10, 1000, 30_000], prng);
    const text = formatRawJson(holder[key]);
    const most = Math.max(1, Math.floor(2_000_000 / text.length));
    put(holder, key, new RawJson(`[${new Array(Math.min(count, most)).fill(text).join(",")}]`));
    return `${path} as a list of ${Math.min(count, most)}`;
  }
  if (what < 7) {
    const similar = changeAlike(holder[key], prng);
    if (similar !== undefined) {
      put(holder, key, similar);
      return `${path} = ${short(similar)}`;
    }
  }
  const value = structuredCloneOf(draw(hostileValues, prng));
  if (what === 9 && !Array.isArray(holder) && path !== "$") {
    put(holder, key + again, value);
    return `${path} once more, as ${short(value)}`;
  }
  put(holder, key, value);
  return `${path} = ${short(value)}`;
}

/** Goes down from the root, and stays somewhere on the way. */
function drawPlace(root: Holder, prng: Prng): Place {
  let place: Place = { holder: root, key: "value", path: "$" };
  while (true) {
    const inner = place.holder[place.key];
    if (typeof inner !== "object" || inner === null || inner instanceof RawJson) return place;
    const keys = Object.keys(inner);
    if (keys.length === 0 || prng.below(5) === 0) return place;
    const key = keys[prng.below(keys.length)];
    place = { holder: inner as Holder, key, path: `${place.path}.${key.slice(0, 40)}` };
  }
}

function isWithin(outer: Place, inner: Place): boolean {
  return inner.path === outer.path || inner.path.startsWith(`${outer.path}.`);
}

function renameKey({ holder, key, path }: Place, prng: Prng): string {
  const name = draw(hostileNames, prng);
  const value = holder[key];
  delete holder[key];
  put(holder, name, value);
  return `${path} named ${short(name)}`;
}

/** Another value of the same type; undefined where there is none. */
function changeAlike(value: unknown, prng: Prng): unknown {
  if (typeof value === "number") {
    const near = [value + 1, value - 1, -value, value * 2, value / 2, value * 65_536];
    return prng.below(3) === 0 ? draw(near, prng) : draw(hostileNumbers, prng);
  }
  if (typeof value === "boolean") return !value;
  if (typeof value !== "string") return undefined;
  const near = [value.slice(1), value.slice(0, -1), value + value, ` ${value} `];
  const other = [value.toUpperCase(), [...value].reverse().join("")];
  return prng.below(3) === 0 ? draw([...near, ...other], prng) : draw(hostileTexts, prng);
}

/** Sets a key as JSON.parse would, also one that is called like a part of every object. */
function put(holder: Holder, key: string, value: unknown): void {
  const setting = { value, writable: true, enumerable: true, configurable: true };
  Object.defineProperty(holder, key, setting);
}

function draw<T>(list: readonly T[], prng: Prng): T {
  return list[prng.below(list.length)];
}

function structuredCloneOf(value: unknown): unknown {
  return value instanceof RawJson ? value : structuredClone(value);
}

function short(value: unknown): string {
  const text = value instanceof RawJson ? value.text : (JSON.stringify(value) ?? "undefined");
  return text.length > 60 ? `${text.slice(0, 50)}… (${text.length} characters)` : text;
}

/** Writes a document, its raw parts as they are. */
export function formatRawJson(value: unknown): string {
  const raw: string[] = [];
  const text = JSON.stringify(value, (_, part: unknown) =>
    part instanceof RawJson ? `\u0000raw${raw.push(part.text) - 1}\u0000` : part,
  );
  return (text ?? "null")
    .replace(/"\\u0000raw(\d+)\\u0000"/g, (_, index: string) => raw[Number(index)])
    .replaceAll("\\u0000again", "");
}
