import { card, live, many, type Page, visit } from "./visit.js";

// Measures the dispatcher's page with thousands of open pickups, by the browser's own trace: how long until it is
// painted, and whether scrolling through all of them holds up the page. It prints figures, and judges nothing.

const pickups = Number(process.argv[2] ?? 5_000);
const loads = 5;

type TraceEvent = {
  name: string;
  ph: string;
  dur?: number;
  tdur?: number;
  pid: number;
  tid: number;
  args?: { name?: string };
};

/** Traces what a page does meanwhile, and returns how long each task of its main thread took, in milliseconds. */
async function tasksOf(page: Page, run: () => Promise<void>): Promise<number[]> {
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
  return tasks.map(({ dur = 0 }) => dur / 1000);
}

/** Returns when the page was painted first, and when its first card was there, since its load began. */
async function load(page: Page): Promise<{ paint: number; cards: number }> {
  await page.reload();
  await page.locator(".cards [role=row]").first().waitFor();
  return page.evaluate(() => {
    const [paint] = performance.getEntriesByName("first-contentful-paint");
    return { paint: paint?.startTime ?? NaN, cards: performance.now() };
  });
}

/** Scrolls through the column of waiting pickups to its end. Returns how many rows the page had at most. */
async function scroll(page: Page): Promise<{ rows: number; seen: number }> {
  await page.locator("[data-status=SUBMITTED] .cards").hover();
  let [rows, seen, before] = [0, 0, -1];
  for (let still = 0; still < 40;) {
    await page.mouse.wheel(0, 900);
    await page.waitForTimeout(16);
    const at = await page.locator("[data-status=SUBMITTED] .cards").evaluate((list) => {
      const shown = [...list.querySelectorAll("[role=row]")];
      const last = Math.max(...shown.map((row) => Number(row.getAttribute("aria-rowindex"))));
      return { top: list.scrollTop, rows: shown.length, last };
    });
    still = at.top === before ? still + 1 : 0;
    before = at.top;
    rows = Math.max(rows, at.rows);
    seen = Math.max(seen, at.last);
  }
  return { rows, seen };
}

function say(what: string, tasks: number[]): void {
  const longest = [...tasks].sort((a, b) => b - a).slice(0, 5);
  const over = (limit: number) => tasks.filter((ms) => ms > limit).length;
  console.log(
    `${what}: ${tasks.length} tasks, ${over(50)} over 50 ms, ${over(100)} over 100 ms;`,
    `the longest ${longest.map((ms) => ms.toFixed(0)).join(", ")} ms`,
  );
}

const v = await visit();
try {
  await many(v, pickups);
  const page = await v.login("dispatcher", { viewport: { width: 1440, height: 900 } });
  await live(page).waitFor();
  console.log(`${pickups} open pickups`);
  for (let i = 0; i < loads; i++) {
    let times = { paint: 0, cards: 0 };
    const tasks = await tasksOf(page, async () => void (times = await load(page)));
    console.log(`painted after ${times.paint.toFixed(0)} ms, cards after ${times.cards.toFixed(0)} ms`);
    say("  loading", tasks);
  }
  let seen = { rows: 0, seen: 0 };
  say("scrolling", await tasksOf(page, async () => void (seen = await scroll(page))));
  console.log(`  to row ${seen.seen}; never more than ${seen.rows} rows in the page`);
  // With every card read, another's change is still shown at once.
  const last = await many(v, 1, { pickup_address: "1 Latecomer St" });
  const tasks = await tasksOf(page, async () => {
    const began = Date.now();
    await v.as("dispatcher").pickups.cancel(last[0]!);
    await card(page, "SUBMITTED", "Latecomer").waitFor({ state: "detached" });
    console.log(`a change shown after ${Date.now() - began} ms`);
  });
  say("a change", tasks);
} finally {
  await v.close();
}
