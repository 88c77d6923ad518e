import { afterEach, type TestContext } from "node:test";

import type { Page } from "playwright-core";

// A failed test tells, besides what it threw, what its pages showed and were refused: the log of CI has nothing else.

/** A page that is open: who looks at it, and what it asked and was refused, or not answered. */
type Watched = { page: Page; who: string; failed: string[] };

const open = new Set<Watched>();

const most = { failed: 8, text: 2_000 };

/** Has a test that fails while the page is open tell of it. Call it before the page asks for something. */
export function tell(page: Page, who: string): void {
  const failed: string[] = [];
  const watched = { page, who, failed };
  const add = (method: string, url: string, why: string) => {
    const { pathname, search } = new URL(url);
    failed.push(`${new Date().toISOString()} ${method} ${pathname}${search}: ${why}`);
    failed.splice(0, failed.length - most.failed);
  };
  open.add(watched);
  page.on("close", () => open.delete(watched));
  page.on("requestfailed", (request) => add(request.method(), request.url(), request.failure()?.errorText ?? "failed"));
  page.on("response", (response) => {
    if (response.status() >= 400) add(response.request().method(), response.url(), String(response.status()));
  });
}

/** Runs in the page. The values of fields, which may be secret, are no text. */
function shown(): string {
  const parts = [...document.querySelectorAll<HTMLElement>("main, [role=dialog], [role=alertdialog], [role=alert]")];
  const outer = parts.filter((part) => !parts.some((other) => other !== part && other.contains(part)));
  return (outer.length > 0 ? outer : [document.body]).map((part) => part.innerText).join("\n");
}

async function textOf(page: Page): Promise<string> {
  const hangs = new Promise<string>((resolve) => setTimeout(resolve, 5_000, "the page does not answer").unref());
  return Promise.race([page.evaluate(shown).catch((error: Error) => error.message), hangs]);
}

/** What else failed tests tell, such as what the server has logged last. */
export const others: (() => string[])[] = [];

afterEach(async (t) => {
  const test = t as TestContext & { passed?: boolean }; // which some of Node 20 lack
  if (test.passed !== false) return;
  for (const { page, who, failed } of open) {
    test.diagnostic(`${who} was at ${page.url()}, which showed:`);
    const lines = (await textOf(page)).slice(0, most.text).split(/\s*\n\s*/);
    for (const line of lines) if (line) test.diagnostic(`  | ${line}`);
    for (const request of failed) test.diagnostic(`  not done: ${request}`);
  }
  for (const line of others.flatMap((say) => say())) test.diagnostic(line);
});
