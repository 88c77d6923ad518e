import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";

import { unwrap } from "../../ts/dist/src/index.js";
import { type Proxy, proxyTo } from "./proxy.js";
import { card, choose, driver, live, order, type Page, press, submitted, visit, type Visit } from "./visit.js";
import { settled } from "./wait.js";

type Locator = ReturnType<Page["locator"]>;
type Requested = { url: () => string };

const isStream = (request: Requested) => new URL(request.url()).pathname === "/v1/pickups/stream";

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
  const { driver_id = "" } = unwrap(await v.as("driver").sessions.get());
  await page.getByRole("button", { name: "Show those that ended" }).click();
  let cut = 0;
  /** Cuts a stream that has been answered, some times, and waits each time until the page has asked for the next. */
  const cutStreams = async (times: number, during: () => Promise<unknown>) => {
    for (let i = 0; i < times; i++) {
      const lost = page.waitForEvent("requestfailed", isStream);
      const next = page.waitForResponse((response) => isStream(response.request()) && response.ok());
      const done = i === 1 ? during() : undefined; // one step is made while there is no stream
      proxy.cut();
      await lost;
      cut++;
      await done;
      await next;
    }
  };
  const id = unwrap(await v.as("staff").pickups.create(await order(v, { pickup_address: "20 Cut St" }))).id;
  const steps: [string, () => Promise<unknown>][] = [
    ["SUBMITTED", async () => unwrap(await v.as("staff").pickups.submit(id))],
    ["ASSIGNED", async () => unwrap(await v.as("dispatcher").pickups.assign(id, { driver_id }))],
    ["COLLECTED", async () => unwrap(await v.as("driver").pickups.collect(id))],
    ["RECEIVED", async () => unwrap(await v.as("hub").pickups.receive(id))],
    ["PACKED", async () => unwrap(await v.as("hub").pickups.pack(id))],
    ["SHIPPED", async () => unwrap(await v.as("hub").pickups.ship(id))],
    ["DELIVERED", async () => unwrap(await v.as("hub").pickups.deliver(id))],
  ];
  for (const [status, take] of steps) {
    await cutStreams(3, take);
    await card(page, status, "20 Cut").waitFor();
    await settled(page); // columns are read each by itself
    for (const [other] of steps) {
      if (other !== status) await card(page, other, "20 Cut").waitFor({ state: "detached" });
    }
  }
  assert.ok(cut >= 20, `${cut} streams were cut`);
  await live(page).waitFor();
  const events = unwrap(await v.as("admin").pickups.listEvents(id).page()).items;
  assert.equal(events.length, steps.length);
});

test("while the server is away for more than a minute, what three people do waits, and is done once", async () => {
  const at = { url: proxy.url };
  const id = await submitted(v, { pickup_address: "30 Away St" });
  const scanned = await submitted(v, { pickup_address: "31 Away St" });
  const { driver_id = "" } = unwrap(await v.as("driver").sessions.get());
  unwrap(await v.as("dispatcher").pickups.assign(scanned, { driver_id }));
  unwrap(await v.as("driver").pickups.collect(scanned));
  await driver(v, "Back");
  const page = await v.login("dispatcher", at);
  const staff = await v.login("staff", at);
  const hub = await v.login("hub", at);
  await press(card(page, "SUBMITTED", "30 Away"));
  await page.getByRole("button", { name: "Assign to Back" }).waitFor();
  await staff.getByLabel("Collect at").fill("32 Away St");
  await staff.getByLabel("Deliver to").fill("1 Lab Way");
  await staff.getByLabel("Price").fill("35.00");
  await choose(staff, /Charge to/);
  const pages = [page, staff, hub];
  for (const each of pages) await each.clock.install();
  proxy.down();
  for (const each of pages) await each.getByText("No connection to the server since").waitFor();
  // What was read is still there, and what is done is shown as it will be.
  await press(page.getByRole("button", { name: "Assign to Back" }));
  await card(page, "ASSIGNED", "30 Away").waitFor();
  await staff.getByRole("button", { name: "Book", exact: true }).click();
  await hub.getByLabel("Scan or type an id").fill(scanned);
  await hub.keyboard.press("Enter");
  // A minute and more by the clocks of the pages, in steps: each try fails before the next.
  for (let i = 0; i < 13; i++) for (const each of pages) await each.clock.runFor(5_000);
  await card(page, "ASSIGNED", "30 Away").getByText("being sent").waitFor();
  await staff
    .getByText(/The server did not answer|No answer\./)
    .first()
    .waitFor(); // a booking is given up before
  for (const [pickup, status] of [
    [id, "SUBMITTED"],
    [scanned, "COLLECTED"],
  ] as const) {
    assert.equal(unwrap(await v.as("admin").pickups.get(pickup)).status, status);
  }
  const booked = async () => unwrap(await v.as("admin").pickups.list({ text: "32 Away" }).page()).items;
  assert.deepEqual(await booked(), []);
  proxy.up();
  for (const each of pages) await live(each).waitFor();
  await card(page, "ASSIGNED", "30 Away").getByText("Back").waitFor();
  await card(page, "ASSIGNED", "30 Away").getByText("being sent").waitFor({ state: "detached" });
  // What was given up by then is sent again as the page says: it was not done, and is done once.
  await again(staff, staff.getByText(/Pickup .* is booked/), () =>
    staff.getByRole("button", { name: "Book", exact: true }).click(),
  );
  await again(hub, hub.getByRole("alert").getByText("Received"), async () => {
    await hub.getByLabel("Scan or type an id").fill(scanned);
    await hub.keyboard.press("Enter");
  });
  const [pickup, ...others] = await booked();
  assert.ok(pickup && others.length === 0, `${others.length + 1} pickups were booked`);
  for (const [which, made] of [
    [id, ["submit", "assign"]],
    [scanned, ["submit", "assign", "collect", "receive"]],
    [pickup.id, ["submit"]],
  ] as const) {
    const events = unwrap(await v.as("admin").pickups.listEvents(which).page()).items;
    const inOrder = events.sort((a, b) => a.version - b.version).map(({ transition }) => transition);
    assert.deepEqual(inOrder, made);
  }
  await settled(page);
  assert.equal(await page.locator(".notice.refused").count(), 0);
});

/** Waits for an outcome; if the page says that there was no answer, does it again, as it says. */
async function again(page: Page, outcome: Locator, redo: () => Promise<unknown>): Promise<void> {
  const unanswered = page.getByText(/The server did not answer|No answer\./).first();
  await outcome.or(unanswered).first().waitFor();
  if ((await outcome.count()) > 0) return;
  await redo();
  await outcome.waitFor();
}
