const dayNames = "Sunday Monday Tuesday Wednesday Thursday Friday Saturday".split(" ");
const monthNames =
  "January February March April May June July August September October November December".split(
    " ",
  );

const two = (value: number): string => String(value).padStart(2, "0");
const three = (value: number): string => String(value).padStart(3, "0");
const spaced = (value: number): string => String(value).padStart(2, " ");
const hour12 = (now: Date): number => now.getHours() % 12 || 12;

/** Days since the start of the year, counted from 1. */
function dayOfYear(now: Date): number {
  const day = Date.UTC(now.getFullYear(), now.getMonth(), now.getDate());
  return Math.round((day - Date.UTC(now.getFullYear(), 0, 1)) / 86_400_000) + 1;
}

/** Weeks of the year that began; they begin on `firstDay`, 0 for Sunday. */
function weekOfYear(now: Date, firstDay: number): number {
  return Math.floor((dayOfYear(now) + 6 - ((now.getDay() - firstDay + 7) % 7)) / 7);
}

/** Year and week by ISO 8601: a week belongs to the year that has its Thursday. */
function isoWeek(now: Date): { readonly year: number; readonly week: number } {
  const thursday = new Date(Date.UTC(now.getFullYear(), now.getMonth(), now.getDate()));
  thursday.setUTCDate(thursday.getUTCDate() + 4 - (now.getDay() || 7));
  const year = thursday.getUTCFullYear();
  return {
    year,
    week: Math.ceil(((thursday.getTime() - Date.UTC(year, 0, 1)) / 86_400_000 + 1) / 7),
  };
}

const fields: Readonly<Record<string, (now: Date) => string>> = {
  a: (now) => dayNames[now.getDay()].slice(0, 3),
  A: (now) => dayNames[now.getDay()],
  b: (now) => monthNames[now.getMonth()].slice(0, 3),
  B: (now) => monthNames[now.getMonth()],
  c: (now) => formatTime(now, "%a %b %e %H:%M:%S %Y"),
  C: (now) => two(Math.floor(now.getFullYear() / 100)),
  d: (now) => two(now.getDate()),
  D: (now) => formatTime(now, "%m/%d/%y"),
  e: (now) => spaced(now.getDate()),
  f: (now) => `${three(now.getMilliseconds())}000`,
  F: (now) => formatTime(now, "%Y-%m-%d"),
  g: (now) => two(isoWeek(now).year % 100),
  G: (now) => String(isoWeek(now).year),
  h: (now) => formatTime(now, "%b"),
  H: (now) => two(now.getHours()),
  I: (now) => two(hour12(now)),
  j: (now) => three(dayOfYear(now)),
  k: (now) => spaced(now.getHours()),
  l: (now) => spaced(hour12(now)),
  m: (now) => two(now.getMonth() + 1),
  M: (now) => two(now.getMinutes()),
  n: () => "\n",
  p: (now) => (now.getHours() < 12 ? "AM" : "PM"),
  P: (now) => (now.getHours() < 12 ? "am" : "pm"),
  r: (now) => formatTime(now, "%I:%M:%S %p"),
  R: (now) => formatTime(now, "%H:%M"),
  s: (now) => String(Math.floor(now.getTime() / 1000)),
  S: (now) => two(now.getSeconds()),
  t: () => "\t",
  T: (now) => formatTime(now, "%H:%M:%S"),
  u: (now) => String(now.getDay() || 7),
  U: (now) => two(weekOfYear(now, 0)),
  V: (now) => two(isoWeek(now).week),
  w: (now) => String(now.getDay()),
  W: (now) => two(weekOfYear(now, 1)),
  x: (now) => formatTime(now, "%m/%d/%y"),
  X: (now) => formatTime(now, "%H:%M:%S"),
  y: (now) => two(now.getFullYear() % 100),
  Y: (now) => String(now.getFullYear()),
  // The time has no zone, as `datetime.now()` has none.
  z: () => "",
  Z: () => "",
  "%": () => "%",
};

/** Removes the padding (`-`), pads with spaces (`_`) or zeros (`0`), or changes the case. */
function applyFlag(flag: string, text: string): string {
  if (flag === "^") return text.toUpperCase();
  if (flag === "#") return text === text.toUpperCase() ? text.toLowerCase() : text.toUpperCase();
  if (flag === "-") return text.replace(/^[0 ]+(?=[0-9])/, "");
  const fill = flag === "_" ? " " : "0";
  return text.replace(/^[0 ]+(?=[0-9])/, (padding) => fill.repeat(padding.length));
}

/**
 * Writes a time as C's `strftime` does in the C locale, with the flags of glibc. What is no field
 * stays as it is.
 */
export function formatTime(now: Date, format: string): string {
  return format.replace(/%([-_0^#]?)([EO]?)([a-zA-Z%])/g, (whole, flag, _era, field) => {
    const write = Object.hasOwn(fields, field) ? fields[field] : undefined;
    if (!write) return whole;
    const text = write(now);
    return flag === "" ? text : applyFlag(flag, text);
  });
}
