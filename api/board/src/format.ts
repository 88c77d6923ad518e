import { texts } from "./texts";

const { locale } = texts;

const clock = new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit", hour12: false });
const day = new Intl.DateTimeFormat(locale, { weekday: "short", day: "numeric", month: "short" });
const date = new Intl.DateTimeFormat(locale, { dateStyle: "full" });
const seconds = new Intl.DateTimeFormat(locale, { timeStyle: "medium" });
const full = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "medium" });

/** Returns a time of day, with the day unless it is today, in the browser's zone. today is as toDateString has it. */
export function timeOf(at: string, today: string): string {
  const time = new Date(at);
  return time.toDateString() === today
    ? clock.format(time)
    : `${day.format(time)}, ${clock.format(time)}`;
}

/** Returns date, time and seconds in the browser's zone, and its name. */
export function fullTimeOf(at: string): string {
  const time = new Date(at);
  const zone = zoned.formatToParts(time).find(({ type }) => type === "timeZoneName");
  return `${full.format(time)} ${zone?.value ?? ""}`;
}

const zoned = new Intl.DateTimeFormat(locale, { timeZoneName: "short" });
const exact = new Intl.DateTimeFormat(locale, { timeStyle: "medium" });

/** Returns a time of day with its seconds, in the browser's zone. */
export function exactTimeOf(at: Date): string {
  return exact.format(at);
}

type Clock = { wall: Intl.DateTimeFormat; hour: Intl.DateTimeFormat; zone: Intl.DateTimeFormat };

const clocks = new Map<string, Clock | undefined>();

/** Returns what shows times in a zone; undefined for one that the browser does not know. */
function clockOf(timeZone: string): Clock | undefined {
  if (!clocks.has(timeZone)) clocks.set(timeZone, newClock(timeZone));
  return clocks.get(timeZone);
}

function newClock(timeZone: string): Clock | undefined {
  const hour = { hour: "2-digit", minute: "2-digit", hour12: false } as const;
  const day = { weekday: "short", day: "numeric", month: "short" } as const;
  try {
    return {
      wall: new Intl.DateTimeFormat(locale, { ...day, ...hour, timeZone }),
      hour: new Intl.DateTimeFormat(locale, { ...hour, timeZone }),
      zone: new Intl.DateTimeFormat(locale, { timeZoneName: "short", timeZone }),
    };
  } catch {
    return undefined;
  }
}

/** The browser's own. */
const here = new Intl.DateTimeFormat(locale, {
  weekday: "short",
  day: "numeric",
  month: "short",
  hour: "2-digit",
  minute: "2-digit",
  hour12: false,
});

/**
 * Returns a time, or a window, as clocks in a zone show it, with the day where it is another one there, and the name of
 * the zone; undefined where they show what the browser's do.
 */
export function timeAt(timeZone: string | undefined, at: string, end = at): string | undefined {
  const there = timeZone === undefined ? undefined : clockOf(timeZone);
  if (!there || Number.isNaN(Date.parse(at)) || Number.isNaN(Date.parse(end))) return undefined;
  const [first, last] = [new Date(at), new Date(end)];
  const isSame = (time: Date) => there.wall.format(time) === here.format(time);
  if (isSame(first) && isSame(last)) return undefined;
  const dayOf = (clock: Intl.DateTimeFormat, time: Date) => clock.format(time).slice(0, -5); // without hh:mm
  const begin = dayOf(there.wall, first) === dayOf(here, first) ? there.hour : there.wall;
  const until = dayOf(there.wall, last) === dayOf(there.wall, first) ? there.hour : there.wall;
  const window = end === at ? begin.format(first) : `${begin.format(first)} – ${until.format(last)}`;
  const zone = there.zone.formatToParts(first).find(({ type }) => type === "timeZoneName")?.value ?? "";
  return `${window} ${zone}`;
}

/** Returns the day of a time in the browser's zone, and the time of that day with its seconds. */
export function dayAndTimeOf(at: string): [day: string, time: string] {
  const time = new Date(at);
  return [date.format(time), seconds.format(time)];
}

/** Returns a span of time in two units at most. */
export function spanOf(milliseconds: number): string {
  const minutes = Math.max(0, Math.floor(milliseconds / 60_000));
  if (minutes < 1) return texts.span.now;
  if (minutes < 60) return texts.span.minutes(minutes);
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return texts.span.hours(hours, minutes % 60);
  return texts.span.days(Math.floor(hours / 24), hours % 24);
}

/** Returns how long something took: also less than a minute is of interest. */
export function tookOf(milliseconds: number): string {
  return milliseconds < 60_000
    ? texts.span.seconds(Math.max(0, Math.round(milliseconds / 1_000)))
    : spanOf(milliseconds);
}

/** Returns an amount, such as 12.50. Accounts say its currency. */
export function moneyOf(cents: number, currency?: string): string {
  const options: Intl.NumberFormatOptions = currency
    ? { style: "currency", currency }
    : { minimumFractionDigits: 2, maximumFractionDigits: 2 };
  return new Intl.NumberFormat(locale, options).format(cents / 100);
}

/** Returns a distance. */
export function distanceOf(meters: number): string {
  return meters < 1000
    ? texts.distance.meters(Math.round(meters / 10) * 10)
    : texts.distance.kilometers((meters / 1000).toFixed(1));
}

/** Returns the end of an id: enough to tell rows on one page apart. Ids that follow each other begin alike. */
export function shortId(id: string): string {
  return id.slice(-6).toUpperCase();
}

/** Returns the value of datetime-local for a time, which begins with that of date. */
export function localOf(at: Date): string {
  return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}
