/**
 * Formats a number with a count of significant digits (default 3) and no exponent between 0.0001
 * and 10^9. Digits before the point are never rounded away: 12345 stays `12345`.
 */
export function formatNumber(value: number, digits = 3): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "NaN" : value < 0 ? "-∞" : "∞";
  if (value === 0) return "0";
  const magnitude = Math.abs(value);
  if (magnitude < 1e-4 || magnitude >= 1e9) return value.toExponential(digits - 1);
  return value.toFixed(decimalsFor(magnitude, digits));
}

/** Decimals that show `digits` significant digits, counted after rounding (9.996 is 10.0). */
function decimalsFor(magnitude: number, digits: number): number {
  const exponent = Number(magnitude.toExponential(digits - 1).split("e")[1]);
  return Math.max(0, digits - 1 - exponent);
}

/** Formats bytes with decimal units: `3.45 MB`, `1.21 GB`; small ones `512 B`, `26.9 kB`. */
export function formatBytes(bytes: number): string {
  if (bytes < 1e3) return `${bytes} B`;
  if (roundedTo3(bytes) < 1e5) return `${formatNumber(bytes / 1e3)} kB`;
  if (roundedTo3(bytes) < 1e9) return `${formatNumber(bytes / 1e6)} MB`;
  if (roundedTo3(bytes) < 1e12) return `${formatNumber(bytes / 1e9)} GB`;
  return `${formatNumber(bytes / 1e12)} TB`;
}

/** Formats a count in words of thousands: `512`, `4.72 M`, `1.10 B`. */
export function formatCount(count: number): string {
  if (count < 1e4) return `${count}`;
  const rounded = roundedTo3(count);
  if (rounded < 1e6) return `${formatNumber(count / 1e3)} k`;
  if (rounded < 1e9) return `${formatNumber(count / 1e6)} M`;
  return `${formatNumber(count / 1e9)} B`;
}

function roundedTo3(value: number): number {
  return Number(value.toPrecision(3));
}

/** Formats a duration: `420 ms`, `11.4 s`, `2 min 05 s`, `1 h 04 min`. */
export function formatDuration(milliseconds: number): string {
  if (milliseconds < 999.5) return `${Math.max(0, Math.round(milliseconds))} ms`;
  const seconds = milliseconds / 1000;
  if (seconds < 59.95) return `${formatNumber(seconds)} s`;
  return formatLongDuration(Math.round(seconds));
}

/** Formats the time left, which nobody knows to three digits: `4.1 s`, `38 s`, `2 min 05 s`. */
export function formatRemaining(milliseconds: number): string {
  const seconds = Math.max(0, milliseconds / 1000);
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  if (seconds < 59.5) return `${Math.round(seconds)} s`;
  return formatLongDuration(Math.round(seconds));
}

function formatLongDuration(seconds: number): string {
  if (seconds < 3600) {
    return `${Math.floor(seconds / 60)} min ${String(seconds % 60).padStart(2, "0")} s`;
  }
  const minutes = Math.round(seconds / 60);
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} min`;
}

/** Formats an estimate, which is not accurate to fractions of a second. */
export function formatEstimate(seconds: number): string {
  return seconds < 1 ? "under 1 s" : formatRemaining(seconds * 1000);
}

/** Shares of an estimate between which times were measured, programs that come and go included. */
const estimateRange = [0.7, 1.7] as const;

/** Formats an estimate as the range that it stands for: `12 to 29 s`, `50 s to 2 min 01 s`. */
export function formatEstimateRange(seconds: number): string {
  const [least, most] = estimateRange;
  if (most * seconds < 1) return "under 1 s";
  const [low, high] = [
    formatRemaining(1000 * least * seconds),
    formatRemaining(1000 * most * seconds),
  ];
  return `${high.endsWith(" s") && !high.includes("min") ? low.replace(/ s$/, "") : low} to ${high}`;
}

/** Formats a past moment in local time: `at 12:31`, on another day `on 2026-03-09 at 12:31`. */
export function formatMoment(moment: Date, now: Date): string {
  const two = (value: number): string => String(value).padStart(2, "0");
  const day = (date: Date): string =>
    `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  const time = `at ${two(moment.getHours())}:${two(moment.getMinutes())}`;
  return day(moment) === day(now) ? time : `on ${day(moment)} ${time}`;
}

/** Formats a share of 1 as a percentage with one decimal: `97.3 %`. Only 1 itself is `100 %`. */
export function formatPercentage(share: number): string {
  if (share === 1) return "100 %";
  // 0.9999 must not read as if nothing differed.
  const percent = share < 1 ? Math.min(share * 100, 99.9) : share * 100;
  return `${percent.toFixed(1)} %`;
}

/** Formats bits a weight with two decimals, as the field writes them: `2.28`, `16.00`. */
export function formatBits(bits: number): string {
  return bits.toFixed(2);
}

/** Leaves out zeros at the end of decimals, for axes: `0.500 MB` is `0.5 MB`. */
export function shortenDecimals(text: string): string {
  return text.replace(/\.(\d*?)0+(?!\d)/, (_, digits: string) => (digits ? `.${digits}` : ""));
}

/** Begins a text with a capital letter. */
export function capitalize(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}

/** Formats a shape: `4096 × 256`; a scalar is `scalar`. */
export function formatShape(shape: readonly number[]): string {
  return shape.length === 0 ? "scalar" : shape.join(" × ");
}

/** Formats a count with its noun: `1 block`, `6 blocks`. */
export function formatPlural(count: number, noun: string, plural = `${noun}s`): string {
  return `${formatCount(count)} ${count === 1 ? noun : plural}`;
}

const unprintable = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g;

/**
 * Makes a text safe to print on a terminal: control characters, which could move the cursor or
 * worse, become `�`. Names in files and generated text come from others.
 */
export function printable(text: string, keep: { readonly newlines?: boolean } = {}): string {
  return text.replace(unprintable, (character) =>
    keep.newlines && (character === "\n" || character === "\t") ? character : "�",
  );
}
