import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";

import { unwrap } from "../../ts/dist/src/index.js";
import { colleagues, endpoint, feeds } from "./admin.js";
import { driver, type Page, type Role, submitted, visit, type Visit } from "./visit.js";

let v: Visit;
let axe: string;

before(async () => {
  v = await visit();
  const ts = createRequire(new URL("../../ts/package.json", import.meta.url));
  axe = await readFile(ts.resolve("axe-core/axe.min.js"), "utf8");
  await driver(v, "Seen");
  const { users, patients } = v.as("dispatcher");
  const [dispatcher] = unwrap(await users.list({ role: "dispatcher" }).page()).items;
  const [patient] = unwrap(await patients.list().page()).items;
  pages
    .at(-1)![1]
    .push(
      `groups/${await colleagues(v)}`,
      `feeds/${await feeds(v)}`,
      `webhooks/${await endpoint(v, "https://clinic.example/waybill")}`,
      `reads/users/${dispatcher!.id}`,
      `reads/patients/${patient!.id}`,
    );
  await submitted(v);
});

after(() => v?.close());

type Found = { id: string; nodes: { html: string }[] };

/**
 * Fails for each rule of axe that the page breaks. What the component library announces is left out: it goes on
 * naming a button for some seconds after that is gone.
 */
async function check(page: Page, what: string): Promise<void> {
  await page.waitForTimeout(500); // colours fade in
  const found: Found[] = await page
    .evaluate(`(() => { ${axe}; return axe.run({ exclude: [['[data-live-announcer]']] }); })()`)
    .then((result) => (result as { violations: Found[] }).violations);
  assert.deepEqual(
    found.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 160)).join(" | ")}`),
    [],
    what,
  );
}

const pages: [Role, string[]][] = [
  ["dispatcher", ["", "accounts", "password"]],
  ["staff", [""]],
  ["hub", [""]],
  ["driver", [""]],
  [
    "admin",
    [
      "users",
      "groups",
      "flags",
      "facilities",
      "facilities/new",
      "feeds",
      "reads",
      "webhooks",
      "webhooks/new",
      "jobs",
      "nothing",
    ],
  ],
];

for (const colorScheme of ["light", "dark"] as const) {
  for (const viewport of [
    { width: 1440, height: 900 },
    { width: 390, height: 844 },
  ]) {
    test(`axe finds nothing on any page, ${colorScheme}, ${viewport.width} wide`, async () => {
      const options = { colorScheme, viewport };
      await check(await v.open(options), "login");
      for (const [role, paths] of pages) {
        const page = await v.login(role, options);
        for (const path of paths) {
          await page.evaluate((path) => {
            history.pushState(null, "", `/board/${path}`);
            dispatchEvent(new PopStateEvent("popstate"));
          }, path);
          await page.locator(".skeleton").first().waitFor({ state: "detached" });
          await check(page, `${role} ${path}`);
          const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
          assert.ok(wide <= 0, `${role} ${path}: ${wide} pixels wider than the window`);
        }
        await page.context().close();
      }
      const page = await v.login("dispatcher", options);
      await page.locator(".cards [role=row]").first().click();
      await page
        .getByRole("button", { name: /^Assign to/ })
        .first()
        .waitFor();
      await check(page, "a chosen pickup");
      await page.getByRole("link", { name: "Open", exact: true }).click();
      await page.locator(".way-taken li").nth(1).waitFor();
      await check(page, "pickup");
      assert.deepEqual(v.complaints(), []);
    });
  }
}
