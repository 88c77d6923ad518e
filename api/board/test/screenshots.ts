import { execFile } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

import { receiver } from "./admin.js";
import { proxyTo } from "./proxy.js";
import { type Page, type Role, visit } from "./visit.js";
import { administration, work } from "./work.js";

// Takes a picture of each page, or of those that are named, to be looked at.

const named = process.argv.slice(2);

const folder = join(import.meta.dirname, "screenshots");

type Shot = { name: string; role?: Role; path?: string; then?: (page: Page) => Promise<unknown> };

/** Has some pickups wait for longer than the colours of waiting begin, and some of them for hours. */
async function age(databaseUrl: string): Promise<void> {
  const sql = `UPDATE pickups SET submitted_at = submitted_at - age, created_at = created_at - age
    FROM (SELECT id, (row_number() OVER (ORDER BY id) * interval '17 minutes') AS age FROM pickups
      WHERE status = 'SUBMITTED') AS waiting WHERE waiting.id = pickups.id`;
  await promisify(execFile)("psql", ["--quiet", "--set=ON_ERROR_STOP=1", "--command", sql, databaseUrl]);
}

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
  { name: "jobs", role: "admin", path: "jobs" },
  { name: "password", role: "dispatcher", path: "password" },
  { name: "not-found", role: "hub", path: "nothing" },
  { name: "facilities-new", role: "admin", path: "facilities/new" },
  { name: "webhooks-new", role: "admin", path: "webhooks/new" },
  {
    name: "cancel",
    role: "dispatcher",
    then: async (page) => {
      await choose(page);
      await page.getByRole("button", { name: "Cancel", exact: true }).click();
      await page.getByRole("dialog").waitFor();
    },
  },
  {
    name: "ended",
    role: "dispatcher",
    then: (page) => page.getByRole("button", { name: "Show those that ended" }).click(),
  },
  {
    name: "offline",
    role: "dispatcher",
    then: async (page) => {
      await choose(page);
      const assign = page.getByRole("button", { name: /^Assign to/ }).first();
      await assign.waitFor();
      proxy.down();
      await page.getByText("No connection to the server since").waitFor();
      await assign.click();
    },
  },
];

const [v, hook] = await Promise.all([visit(), receiver()]);
const proxy = await proxyTo(v.server.url);
try {
  await administration(v, hook.url);
  await work(v);
  await age(v.server.database_url);
  await mkdir(folder, { recursive: true });
  for (const colorScheme of ["light", "dark"] as const) {
    for (const [device, viewport] of [
      ["desk", { width: 1440, height: 900 }],
      ["phone", { width: 390, height: 844 }],
    ] as const) {
      for (const { name, role, path, then } of shots.filter((shot) => !named.length || named.includes(shot.name))) {
        const options = { colorScheme, viewport, locale: "en-GB", url: proxy.url };
        const page = role ? await v.login(role, options) : await v.open(options);
        if (path) await page.goto(`${proxy.url}/board/${path}`);
        await then?.(page);
        await page.waitForTimeout(1_000);
        await page.screenshot({ path: join(folder, `${name}-${device}-${colorScheme}.png`) });
        proxy.up();
        await page.context().close();
      }
    }
  }
} finally {
  hook.close();
  proxy.close();
  await v.close();
}
console.log(folder);
