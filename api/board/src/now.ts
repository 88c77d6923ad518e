import { useMemo, useSyncExternalStore } from "react";

// One clock for the page: waiting times are counted in minutes.
let now = Date.now();
const listeners = new Set<() => void>();

function subscribe(changed: () => void): () => void {
  listeners.add(changed);
  return () => listeners.delete(changed);
}

setInterval(() => {
  now = Date.now();
  for (const changed of listeners) changed();
}, 10_000);

/** Returns the present time in milliseconds, new every ten seconds. */
export function useNow(): number {
  return useSyncExternalStore(subscribe, () => now);
}

export type Day = { from: string; to: string };

/** Returns the present day in the browser's zone, another one after midnight: a page may stay open for days. */
export function useToday(): Day {
  const day = new Date(useNow()).toDateString();
  return useMemo(() => {
    const [from, to] = [new Date(day), new Date(day)];
    to.setDate(to.getDate() + 1);
    return { from: from.toISOString(), to: to.toISOString() };
  }, [day]);
}
