import { load, scroll, type Task, tasksOf } from "./trace.js";
import { card, live, many, visit } from "./visit.js";

// Measures the dispatcher's page with thousands of open pickups, by the browser's own trace: how long until it is
// painted, and whether scrolling through all of them holds up the page. It prints figures; crowded.test.ts judges them.

const pickups = Number(process.argv[2] ?? 5_000);
const loads = 5;

function say(what: string, tasks: Task[]): void {
  for (const by of ["wall", "cpu"] as const) {
    const times = tasks.map((task) => task[by]).sort((a, b) => b - a);
    const over = (limit: number) => times.filter((ms) => ms > limit).length;
    console.log(
      `${what}, by ${by === "wall" ? "the clock" : "the processor"}: ${tasks.length} tasks, ${over(50)} over 50 ms,`,
      `${over(100)} over 100 ms; the longest ${times.slice(0, 5).map(Math.round).join(", ")} ms`,
    );
  }
}

const v = await visit();
try {
  await many(v, pickups);
  const page = await v.login("dispatcher", { viewport: { width: 1440, height: 900 }, measured: true });
  await live(page).waitFor();
  console.log(`${pickups} open pickups`);
  for (let i = 0; i < loads; i++) {
    let times = { paint: 0, cards: 0 };
    const tasks = await tasksOf(page, async () => void (times = await load(page)));
    console.log(`painted after ${times.paint.toFixed(0)} ms, cards after ${times.cards.toFixed(0)} ms`);
    say("  loading", tasks);
  }
  let seen = { rows: 0, seen: 0 };
  say("scrolling", await tasksOf(page, async () => void (seen = await scroll(page, pickups))));
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
