import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";

import { eventually, limit } from "../../ts/dist/test/wait.js";
import type { Page } from "./visit.js";

export { eventually, limit };

type Request = { url: () => string };

/** What pages have asked and not been answered, besides the stream, which has no end. */
const asked = new WeakMap<Page, Set<Request>>();

/** Follows what a page asks: for settled. */
export function follow(page: Page): void {
  const open = new Set<Request>();
  asked.set(page, open);
  page.on("request", (request) => {
    const { pathname } = new URL(request.url());
    if (pathname.startsWith("/v1/") && !pathname.endsWith("/stream")) open.add(request);
  });
  for (const end of ["requestfinished", "requestfailed"] as const) {
    page.on(end as "requestfinished", (request) => void open.delete(request));
  }
}

/**
 * Waits until a page has got what it asked for, and has asked for nothing more since: that something is not shown says
 * nothing before. A page that reads something every few seconds has its pauses.
 */
export async function settled(page: Page): Promise<void> {
  const open = asked.get(page);
  assert(open);
  let quiet = 0;
  // Longer than the pause between two reads of what events have changed.
  for (const end = Date.now() + limit; quiet < 10; await sleep(50)) {
    assert.ok(Date.now() < end, `no answer to ${[...open].map((request) => request.url()).join(", ")}`);
    await page.evaluate("0"); // behind what the page does with the answers
    quiet = open.size === 0 ? quiet + 1 : 0;
  }
}
