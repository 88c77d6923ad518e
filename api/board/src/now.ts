import { useSyncExternalStore } from "react";

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
