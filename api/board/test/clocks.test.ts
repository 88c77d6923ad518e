import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";

import { unwrap } from "../../ts/dist/src/index.js";
import { card, choose, type Page, submitted, visit, type Visit } from "./visit.js";

// What the board shows when a day ends, where it ends at another time than in UTC, and when clocks are put back.

let v: Visit;

before(async () => {
  v = await visit();
});

after(() => v?.close());

afterEach(async () => assert.deepEqual(await v.complaints(), []));

async function at(page: Page, time: string): Promise<void> {
  await page.clock.install({ time: Date.parse(time) });
  await page.reload();
}

test("a time of today gets its day after midnight, while the page is open", async () => {
  const window = { window_start: "2030-01-07T22:00:00Z", window_end: "2030-01-07T23:30:00Z" };
  await submitted(v, { ...window, pickup_address: "1 Evening St" });
  const page = await v.login("dispatcher", { timezoneId: "UTC" });
  await at(page, "2030-01-07T23:59:20Z");
  const shown = card(page, "SUBMITTED", "1 Evening St").locator(".window");
  await shown.getByText(/^22:00 – 23:30/).waitFor();
  await page.clock.fastForward(60_000);
  await shown.getByText(/^Mon,? 7 Jan, 22:00 – Mon,? 7 Jan, 23:30/).waitFor();
});

test("an account's statement begins with a day of the browser's zone", async () => {
  const [account] = unwrap(await v.as("admin").accounts.list().page()).items;
  const page = await v.login("admin", { timezoneId: "America/Los_Angeles" });
  await page.goto(`${v.server.url}/board/accounts/${account!.id}`);
  await at(page, "2030-01-07T02:00:00Z"); // the evening of the 6th
  assert.equal(await page.getByLabel("From", { exact: true }).inputValue(), "2029-12-07");
});

test("a window that is offered while clocks go through an hour again is booked as it was offered", async () => {
  const page = await v.login("staff", { timezoneId: "Europe/Berlin" });
  await at(page, "2030-10-27T01:13:00Z"); // 02:13, for the second time
  const [from, until] = [page.getByLabel("Collect from"), page.getByLabel("Collect until")];
  await page.getByLabel("Collect at").fill("2 Night St");
  await page.getByLabel("Deliver to").fill("1 Lab Way");
  await page.getByLabel("Price").fill("35.00");
  await choose(page, /Charge to/);
  assert.deepEqual([await from.inputValue(), await until.inputValue()], ["2030-10-27T02:45", "2030-10-27T04:45"]);
  const booked = async () => {
    const sent = page.waitForRequest(
      (request) => /\/v1\/pickups$/.test(request.url()) && request.method() === "POST",
    );
    await page.getByRole("button", { name: "Save as draft" }).click();
    const { window_start, window_end } = (await sent).postDataJSON();
    await page
      .getByText(/^Draft .* is saved/)
      .first()
      .waitFor();
    return [window_start, window_end];
  };
  assert.deepEqual(await booked(), ["2030-10-27T01:45:00.000Z", "2030-10-27T03:45:00.000Z"]);
  // Of two moments that are typed alike, it is the one that is still to come.
  await page.getByLabel("Collect at").fill("3 Night St");
  await page.getByLabel("Price").fill("35.00");
  await from.fill("2030-10-27T02:20");
  await until.fill("2030-10-27T02:50");
  assert.deepEqual(await booked(), ["2030-10-27T01:20:00.000Z", "2030-10-27T01:50:00.000Z"]);
});
