import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";

import { card, live, many, submitted, visit, type Visit } from "./visit.js";

const crowd = 1_200;

let v: Visit;

before(async () => {
  v = await visit();
  await many(v, crowd);
  await submitted(v, {
    pickup_address: "1 Needle St",
    window_start: "2031-05-01T08:00:00Z",
    window_end: "2031-05-01T09:00:00Z",
  });
});

after(() => v?.close());

afterEach(async () => assert.deepEqual(await v.complaints(), []));

test("of a thousand pickups only the cards in sight are in the page, from the first to the last", async () => {
  const page = await v.login("dispatcher", { viewport: { width: 1440, height: 900 } });
  await card(page, "SUBMITTED", "Crowded St").first().waitFor();
  await page
    .locator("[data-status=SUBMITTED] h2")
    .getByText(String(crowd + 1))
    .waitFor();
  const list = page.locator("[data-status=SUBMITTED] .cards");
  await list.hover();
  let most = 0;
  const last = card(page, "SUBMITTED", "1 Needle St");
  for (let i = 0; (await last.count()) === 0; i++) {
    assert.ok(i < 3_000, "the last card did not come in sight");
    await page.mouse.wheel(0, 1_500);
    most = Math.max(most, await page.getByRole("row").count());
  }
  assert.ok(most < 120, `${most} rows were in the page`);
  // A screen reader is told where it is among them.
  const row = Number(await last.getAttribute("aria-rowindex"));
  assert.ok(row > crowd, `the last card says that it is row ${row}`);
});

test("a filter finds the only pickup that fits, behind a thousand that do not", async () => {
  const page = await v.login("dispatcher");
  await live(page).waitFor();
  await page.goto(`${v.server.url}/board/?window_from=2031-05-01T00:00:00Z&window_to=2031-05-02T00:00:00Z`);
  await card(page, "SUBMITTED", "1 Needle St").waitFor();
  assert.equal(await page.locator("[data-status=SUBMITTED]").getByRole("row").count(), 1);
});
