import { unwrap } from "../../ts/dist/src/index.js";
import { colleagues, endpoint, feeds } from "./admin.js";
import { driver, submitted, type Visit } from "./visit.js";

// A day's work: what each page shows when it is not empty.

const places = [
  "1 Mission St",
  "22 Castro St",
  "303 Valencia St",
  "4 Dolores St",
  "55 Guerrero St",
  "66 Folsom St",
];

const window = (hours: number) => new Date(Date.now() + hours * 3_600_000).toISOString();

/** The transitions from SUBMITTED on, and who makes each. */
const way = ["assign", "collect", "receive", "pack", "ship", "deliver"] as const;

/** Has a pickup take some steps of its way. */
async function take(v: Visit, id: string, steps: number): Promise<void> {
  const { driver_id = "" } = unwrap(await v.as("driver").sessions.get());
  for (const step of way.slice(0, steps)) {
    if (step === "assign") unwrap(await v.as("dispatcher").pickups.assign(id, { driver_id }));
    else unwrap(await v.as(step === "collect" ? "driver" : "hub").pickups[step](id));
  }
}

/** Makes pickups in each status, one of them with a patient and overdue, and some that wait. Returns ids by status. */
export async function work(v: Visit): Promise<{ waiting: string[]; collected: string; assigned: string }> {
  for (const name of ["Ada", "Edsger", "Barbara"]) await driver(v, name);
  const [patient] = unwrap(await v.as("staff").patients.list().page()).items;
  const waiting: string[] = [];
  for (const [i, place] of places.entries()) {
    const when = { window_start: window(1 + i / 2), window_end: window(2 + i / 2) };
    waiting.push(
      await submitted(v, { pickup_address: `${place}, San Francisco`, note: "Two vials, on ice", ...when }),
    );
  }
  for (const [i, steps] of [3, 4, 5, 6].entries()) {
    await take(v, await submitted(v, { pickup_address: `${8 + i} Howard St, San Francisco` }), steps);
  }
  const late = { window_start: window(-2), window_end: window(-1), patient_id: patient!.id };
  const collected = await submitted(v, { pickup_address: "77 Noe St, San Francisco", ...late });
  await take(v, collected, 2);
  const assigned = await submitted(v, { pickup_address: "5 Sanchez St, San Francisco", note: "Ring twice" });
  await take(v, assigned, 1);
  unwrap(await v.as("dispatcher").pickups.cancel(waiting.pop()!, { reason: "The patient did not come" }));
  return { waiting, collected, assigned };
}

/** Makes what admins look at: lists of appointments, groups, and endpoints of which one answers. */
export async function administration(v: Visit, url: string): Promise<{ [page: string]: string }> {
  const [groups, feed] = [await colleagues(v), await feeds(v)];
  await endpoint(v, "https://hooks.partner.example/v2/pickups");
  return { groups, feeds: feed, facilities: feed, webhooks: await endpoint(v, url) };
}
