import { limit } from "../../ts/dist/test/wait.js";
import type { Page } from "./visit.js";

// What the browser's own trace says of the dispatcher's page.

type TraceEvent = {
  name: string;
  ph: string;
  dur?: number;
  tdur?: number;
  pid: number;
  tid: number;
  args?: { name?: string };
};

/** How long a task took by the clock, and by the time that the processor was at it, in milliseconds. */
export type Task = { wall: number; cpu: number };

/** Traces what a page does meanwhile, and returns how long each task of its main thread took. */
export async function tasksOf(page: Page, run: () => Promise<void>): Promise<Task[]> {
  const cdp = await page.context().newCDPSession(page);
  const events: TraceEvent[] = [];
  cdp.on("Tracing.dataCollected", ({ value }) => events.push(...(value as unknown as TraceEvent[])));
  const complete = new Promise((resolve) => cdp.once("Tracing.tracingComplete", resolve));
  const includedCategories = ["toplevel", "devtools.timeline", "disabled-by-default-devtools.timeline"];
  await cdp.send("Tracing.start", { transferMode: "ReportEvents", traceConfig: { includedCategories } });
  await run();
  await cdp.send("Tracing.end");
  await complete;
  await cdp.detach();
  const threadOf = ({ pid, tid }: TraceEvent) => `${pid} ${tid}`;
  const isMain = ({ name, args }: TraceEvent) => name === "thread_name" && args?.name === "CrRendererMain";
  const main = new Set(events.filter(isMain).map(threadOf));
  const tasks = events.filter((event) => event.name === "RunTask" && main.has(threadOf(event)));
  if (tasks.length === 0) throw new Error("the trace has no task of the page");
  if (!tasks.some(({ tdur }) => tdur)) throw new Error("the trace has no times of the processor");
  return tasks.map(({ dur = 0, tdur = 0 }) => ({ wall: dur / 1000, cpu: tdur / 1000 }));
}

/** Returns when the page was painted first, and when its first card was there, since its load began. */
export async function load(page: Page): Promise<{ paint: number; cards: number }> {
  await page.reload();
  await page.locator(".cards [role=row]").first().waitFor();
  return page.evaluate(() => {
    const [paint] = performance.getEntriesByName("first-contentful-paint");
    return { paint: paint?.startTime ?? NaN, cards: performance.now() };
  });
}

/**
 * Scrolls through the column of waiting pickups, of which there are so many, for as long as it gets further: it waits
 * for what is not read yet. Returns to which row it came, and how many rows the page had at most.
 */
export async function scroll(page: Page, pickups: number): Promise<{ rows: number; seen: number }> {
  await page.locator("[data-status=SUBMITTED] .cards").hover();
  let [rows, seen, before] = [0, 0, -1];
  for (let moved = Date.now(); seen < pickups && Date.now() < moved + limit;) {
    await page.mouse.wheel(0, 900);
    await page.waitForTimeout(16);
    const at = await page.locator("[data-status=SUBMITTED] .cards").evaluate((list) => {
      const shown = [...list.querySelectorAll("[role=row]")];
      const last = Math.max(...shown.map((row) => Number(row.getAttribute("aria-rowindex"))));
      return { top: list.scrollTop, rows: shown.length, last };
    });
    if (at.top !== before) moved = Date.now();
    before = at.top;
    rows = Math.max(rows, at.rows);
    seen = Math.max(seen, at.last);
  }
  return { rows, seen };
}
