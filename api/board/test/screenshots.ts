import { mkdir } from "node:fs/promises";
import { join } from "node:path";

import { receiver } from "./admin.js";
import { type Page, type Role, visit } from "./visit.js";
import { administration, work } from "./work.js";

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
