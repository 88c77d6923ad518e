import { setTimeout as sleep } from "node:timers/promises";

/** How long what must come may take: a busy machine is slow, and a test that passes does not wait for it. */
export const limit = 120_000;

/**
 * Repeats what asserts until it passes: what a page shows may come in several answers, of which a test has waited for
 * one. At the limit it throws what the last attempt threw.
 */
export async function eventually<T>(attempt: () => Promise<T> | T): Promise<T> {
  for (const end = Date.now() + limit; ; await sleep(100)) {
    try {
      return await attempt();
    } catch (error) {
      if (Date.now() > end) throw error;
    }
  }
}
