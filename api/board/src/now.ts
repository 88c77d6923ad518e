import { useCallback, useMemo, useSyncExternalStore } from "react";

import { timeOf } from "./format";

// One clock for the page: waiting times are counted in minutes.
let now = Date.now();
let today = new Date(now).toDateString();
const listeners = new Set<() => void>();

function subscribe(changed: () => void): () => void {
  listeners.add(changed);
  return () => listeners.delete(changed);
}

setInterval(() => {
  now = Date.now();
  today = new Date(now).toDateString();
  for (const changed of listeners) changed();
}, 10_000);

/** Returns the present time in milliseconds, new every ten seconds. */
export function useNow(): number {
  return useSyncExternalStore(subscribe, () => now);
}

/** Returns what shows a time of day, with the day unless it is today: after midnight, yesterday's times get theirs. */
export function useTimeOf(): (at: string) => string {
  const day = useSyncExternalStore(subscribe, () => today);
  return useCallback((at) => timeOf(at, day), [day]);
}

export type Day = { from: string; to: string };

/** Returns the present day in the browser's zone, another one after midnight: a page may stay open for days. */
export function useToday(): Day {
  const day = useSyncExternalStore(subscribe, () => today);
  return useMemo(() => {
    const [from, to] = [new Date(day), new Date(day)];
    to.setDate(to.getDate() + 1);
    return { from: from.toISOString(), to: to.toISOString() };
  }, [day]);
}
