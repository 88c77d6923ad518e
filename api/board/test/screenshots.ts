import { mkdir } from "node:fs/promises";
import { join } from "node:path";

import { unwrap } from "../../ts/dist/src/index.js";
import { colleagues, endpoint, feeds, receiver } from "./admin.js";
import { driver, type Page, type Role, submitted, visit, type Visit } from "./visit.js";

// Takes a picture of each page, or of those that are named, to be looked at.

const named = process.argv.slice(2);

const folder = join(import.meta.dirname, "screenshots");

type Shot = { name: string; role?: Role; path?: string; then?: (page: Page) => Promise<unknown> };

const choose = (page: Page) => page.locator(".cards [role=row]").first().click();

const chosen = (page: Page) => page.locator(".choices a").first().click();

const shots: Shot[] = [
  { name: "login" },
  { name: "board", role: "dispatcher", then: choose },
  {
    name: "pickup",
    role: "dispatcher",
    then: async (page) => {
      await page.locator("[data-status=ASSIGNED] .cards [role=row]").first().click();
      await page.getByRole("link", { name: "Open", exact: true }).click();
    },
  },
  { name: "book", role: "staff" },
  { name: "hub", role: "hub" },
  { name: "driver", role: "driver" },
  { name: "users", role: "admin", path: "users" },
  { name: "groups", role: "admin", path: "groups", then: chosen },
  { name: "facilities", role: "admin", path: "facilities", then: chosen },
  { name: "feeds", role: "admin", path: "feeds", then: chosen },
  { name: "webhooks", role: "admin", path: "webhooks", then: chosen },
  {
    name: "reads",
    role: "admin",
    path: "reads",
    then: async (page) => {
      await page.getByRole("searchbox", { name: "Name", exact: true }).fill("Person");
      await page.getByRole("button", { name: "Search", exact: true }).click();
      await page
        .getByRole("link", { name: /Listed Person/ })
        .first()
        .click();
    },
  },
  {
    name: "accounts",
    role: "admin",
    path: "accounts",
    then: (page) => page.locator(".rows a").first().click(),
  },
  { name: "flags", role: "admin", path: "flags" },
];

const places = [
  "1 Mission St",
  "22 Castro St",
  "303 Valencia St",
  "4 Dolores St",
  "55 Guerrero St",
  "66 Folsom St",
];

/** Makes what admins look at: lists of appointments, groups, and endpoints of which one answers. */
async function administration(v: Visit, url: string): Promise<void> {
  await colleagues(v);
  await feeds(v);
  await endpoint(v, "https://hooks.partner.example/v2/pickups");
  await endpoint(v, url);
}

/** Makes a day's work: pickups in several statuses, some of them with the demo driver. */
async function work(v: Visit): Promise<void> {
  const dispatcher = v.as("dispatcher");
  const { driver_id = "" } = unwrap(await v.as("driver").sessions.get());
  for (const name of ["Ada", "Edsger", "Barbara"]) await driver(v, name);
  const window = (hours: number) => new Date(Date.now() + hours * 3_600_000).toISOString();
  const ids = [];
  for (const [i, place] of places.entries()) {
    const when = { window_start: window(1 + i / 2), window_end: window(2 + i / 2) };
    ids.push(await submitted(v, { pickup_address: `${place}, San Francisco`, note: "Two vials, on ice", ...when }));
  }
  unwrap(await dispatcher.pickups.assign(ids[0]!, { driver_id }));
  unwrap(await v.as("driver").pickups.collect(ids[0]!));
  unwrap(await v.as("hub").pickups.receive(ids[0]!));
  const late = { window_start: window(-2), window_end: window(-1) };
  const overdue = await submitted(v, { pickup_address: "77 Noe St, San Francisco", ...late });
  unwrap(await dispatcher.pickups.assign(overdue, { driver_id }));
  unwrap(await v.as("driver").pickups.collect(overdue));
  unwrap(await dispatcher.pickups.assign(ids[1]!, { driver_id }));
  unwrap(await dispatcher.pickups.cancel(ids[5]!, { reason: "The patient did not come" }));
}

const [v, hook] = await Promise.all([visit(), receiver()]);
try {
  await administration(v, hook.url);
  await work(v);
  await mkdir(folder, { recursive: true });
  for (const colorScheme of ["light", "dark"] as const) {
    for (const [device, viewport] of [
      ["desk", { width: 1440, height: 900 }],
      ["phone", { width: 390, height: 844 }],
    ] as const) {
      for (const { name, role, path, then } of shots.filter((shot) => !named.length || named.includes(shot.name))) {
        const options = { colorScheme, viewport };
        const page = role ? await v.login(role, options) : await v.open(options);
        if (path) await page.goto(`${v.server.url}/board/${path}`);
        await then?.(page);
        await page.waitForTimeout(1_000);
        await page.screenshot({ path: join(folder, `${name}-${device}-${colorScheme}.png`) });
        await page.context().close();
      }
    }
  }
} finally {
  hook.close();
  await v.close();
}
console.log(folder);
