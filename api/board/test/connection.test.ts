import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import { unwrap } from "../../ts/dist/src/index.js";
import { type Proxy, proxyTo } from "./proxy.js";
import { card, driver, live, submitted, visit, type Visit } from "./visit.js";

let v: Visit;
let proxy: Proxy;

before(async () => {
  v = await visit();
  proxy = await proxyTo(v.server.url);
});

after(async () => {
  proxy?.close();
  await v?.close();
});

afterEach(async () => assert.deepEqual(await v.complaints(), []));

test("the stream is cut twenty times in a lifecycle, and the board shows each step", async () => {
  const page = await v.login("dispatcher", { url: proxy.url });
  const id = await submitted(v, { pickup_address: "20 Cut St" });
  const { driver_id = "" } = unwrap(await v.as("driver").sessions.get());
  await card(page, "SUBMITTED", "20 Cut").waitFor();
  const steps: [string, () => Promise<{ ok: boolean }>][] = [
    ["ASSIGNED", () => v.as("dispatcher").pickups.assign(id, { driver_id })],
    ["COLLECTED", () => v.as("driver").pickups.collect(id)],
    ["RECEIVED", () => v.as("hub").pickups.receive(id)],
    ["PACKED", () => v.as("hub").pickups.pack(id)],
    ["SHIPPED", () => v.as("hub").pickups.ship(id)],
  ];
  for (const [status, take] of steps) {
    for (let i = 0; i < 4; i++) {
      proxy.cut();
      if (i === 1) assert.ok((await take()).ok, status);
      await sleep(100);
    }
    await card(page, status, "20 Cut").waitFor();
  }
  await live(page).waitFor();
});

test("while the server is away the board says so, and what was done is sent once, when it is back", async () => {
  const page = await v.login("dispatcher", { url: proxy.url });
  const id = await submitted(v, { pickup_address: "30 Away St" });
  await driver(v, "Back");
  await card(page, "SUBMITTED", "30 Away").click();
  await page.getByRole("button", { name: "Assign to Back" }).waitFor();
  proxy.down();
  await page.getByText("No connection to the server since").waitFor();
  // What was read is still there, and what is done is shown as it will be.
  await page.getByRole("button", { name: "Assign to Back" }).click();
  await card(page, "ASSIGNED", "30 Away").waitFor();
  await sleep(5_000);
  await card(page, "ASSIGNED", "30 Away").waitFor();
  assert.equal(unwrap(await v.as("admin").pickups.get(id)).status, "SUBMITTED");
  proxy.up();
  await live(page).waitFor();
  await card(page, "ASSIGNED", "30 Away").getByText("Back").waitFor();
  for (let i = 0; unwrap(await v.as("admin").pickups.get(id)).status !== "ASSIGNED"; i++) {
    assert.ok(i < 300, "the assignment was not sent");
    await sleep(100);
  }
  const events = unwrap(await v.as("admin").pickups.listEvents(id).page()).items;
  assert.deepEqual(events.map(({ transition }) => transition).sort(), ["assign", "submit"]);
  assert.equal(await page.locator(".notice.refused").count(), 0);
});
