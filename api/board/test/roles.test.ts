import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, afterEach, before, test } from "node:test";

import { newId, unwrap } from "../../ts/dist/src/index.js";
import { card, choose, type Page, press, submitted, visit, type Visit } from "./visit.js";
import { eventually, settled } from "./wait.js";

// What each role does on its page, and what pages show that stay open for long.

let v: Visit;

before(async () => {
  v = await visit();
});

after(() => v?.close());

afterEach(async () => {
  await relieve();
  assert.deepEqual(await v.complaints(), []);
});

const phone = { viewport: { width: 390, height: 844 }, hasTouch: true };

const shortId = (id: string) => id.slice(-6).toUpperCase();

/** Answers as the server refuses. */
const refusal = {
  status: 403,
  contentType: "application/problem+json",
  body: JSON.stringify({ status: 403, code: "forbidden", title: "Forbidden", detail: "Refused by the test." }),
};

const statusOf = async (id: string) => unwrap(await v.as("admin").pickups.get(id)).status;

/** Waits until the server has a status. */
const becomes = (id: string, status: string) => eventually(async () => assert.equal(await statusOf(id), status));

/** The driver of the demo tenant's login. */
async function demoDriver(): Promise<string> {
  const { driver_id } = unwrap(await v.as("driver").sessions.get());
  assert(driver_id);
  return driver_id;
}

/** Ends what the demo driver has, who is free and on duty for the next test, whatever became of this one. */
async function relieve(): Promise<void> {
  const driver_id = await demoDriver();
  const open = ["ASSIGNED", "COLLECTED", "RECEIVED", "PACKED", "SHIPPED"] as const;
  const steps = ["receive", "pack", "ship", "deliver"] as const;
  for await (const { id, status } of v.as("admin").pickups.list({ driver_id, status: [...open] })) {
    if (status === "ASSIGNED") unwrap(await v.as("dispatcher").pickups.cancel(id));
    else await atHub(id, ...steps.slice(open.indexOf(status as (typeof open)[number]) - 1));
  }
  const present = unwrap(await v.as("admin").drivers.get(driver_id));
  if (!present.on_duty) unwrap(await v.as("admin").drivers.edit(present, { on_duty: true }));
}

/** Gives a pickup to the demo driver, and returns its id. */
async function assigned(change: Parameters<typeof submitted>[1]): Promise<string> {
  const id = await submitted(v, change);
  unwrap(await v.as("dispatcher").pickups.assign(id, { driver_id: await demoDriver() }));
  return id;
}

async function collected(change: Parameters<typeof submitted>[1]): Promise<string> {
  const id = await assigned(change);
  unwrap(await v.as("driver").pickups.collect(id));
  return id;
}

/** Has the hub take the steps up to one. */
async function atHub(id: string, ...steps: ("receive" | "pack" | "ship" | "deliver")[]): Promise<void> {
  for (const step of steps) unwrap(await v.as("hub").pickups[step](id));
}

async function scan(page: Page, typed: string): Promise<void> {
  await page.getByLabel("Scan or type an id").fill(typed);
  await page.keyboard.press("Enter");
}

const freeDriver = (page: Page, name: string) =>
  page.locator(".driver-list.free").getByRole("row").filter({ hasText: name });

/** What a dispatcher has chosen. */
const chosen = (page: Page, id: string) => page.getByRole("region", { name: `Pickup ${shortId(id)}` });

test("a driver collects, sees what the hub does, and delivers when it has shipped", async () => {
  const page = await v.login("driver", phone);
  const quick = await assigned({ pickup_address: "0 Quick Way" });
  await page.getByRole("button", { name: "Collect" }).click();
  await becomes(quick, "COLLECTED");
  await atHub(quick, "receive", "pack", "ship");
  await page.getByRole("button", { name: "Deliver" }).click();
  await page.getByText("You have no pickup").waitFor();
  await becomes(quick, "DELIVERED"); // before, the driver is not free for another one

  const id = await assigned({ pickup_address: "1 Whole Way" });
  const task = page.getByRole("listitem").filter({ hasText: "1 Whole Way" });
  await task.getByText("Next stop").waitFor();
  await task.getByRole("button", { name: "Collect" }).click();
  await task.getByText("Bring it to the hub").waitFor();
  await becomes(id, "COLLECTED"); // what a page says is ahead of the server
  await atHub(id, "receive");
  await task.getByText("The hub has the next step").waitFor();
  await settled(page);
  await task.getByRole("button").waitFor({ state: "detached" });
  await atHub(id, "pack", "ship");
  await task.getByText("Next stop").waitFor();
  await task.getByRole("button", { name: "Deliver" }).click();
  await page.getByText("You have no pickup").waitFor();
  await becomes(id, "DELIVERED");
});

test("a driver who goes off duty leaves the free ones of an open board, without any pickup's event", async () => {
  const board = await v.login("dispatcher");
  await freeDriver(board, "Demo driver").waitFor();
  const page = await v.login("driver", phone);
  await page.getByText("On duty", { exact: true }).click();
  await page.getByText("Off duty", { exact: true }).waitFor();
  await board.locator(".driver-list.off_duty").getByRole("row").filter({ hasText: "Demo driver" }).waitFor();
  await freeDriver(board, "Demo driver").waitFor({ state: "detached" });
  await page.getByText("Off duty", { exact: true }).click();
  await page.getByText("On duty", { exact: true }).waitFor();
  await freeDriver(board, "Demo driver").waitFor();
  // Where a driver is, and since when, is not what was true when the page was opened.
  const here = { latitude: 37.7, longitude: -122.4, located_at: new Date().toISOString() };
  unwrap(await v.as("driver").drivers.locate(await demoDriver(), here));
  await freeDriver(board, "Demo driver").getByText("seen now").waitFor();
});

test("a driver shares the location also while another page is open, until the switch or the duty ends", async () => {
  const id = await demoDriver();
  const pickup = await assigned({ pickup_address: "2 Shared St" });
  const place = { latitude: 37.7712, longitude: -122.4401 };
  const page = await v.login("driver", { ...phone, permissions: ["geolocation"], geolocation: place });
  const latitude = async () => unwrap(await v.as("admin").drivers.get(id)).latitude;
  await page.getByText("Share my location").click();
  await page.getByText("Location sent").waitFor();
  await eventually(async () => assert.equal(await latitude(), place.latitude));
  await page.getByRole("link", { name: /Details/ }).click();
  await page.getByRole("heading", { name: `Pickup ${shortId(pickup)}` }).waitFor();
  await page.clock.install();
  await page.clock.fastForward(20_000);
  await page.context().setGeolocation({ ...place, latitude: 37.7799 });
  await eventually(async () => assert.equal(await latitude(), 37.7799));
  await page.getByText("Sharing location").waitFor();
  await page.getByRole("link", { name: "My pickups" }).click();
  await page.getByText("On duty", { exact: true }).click();
  await page.getByText("Off duty", { exact: true }).waitFor();
  await page.getByText("Sharing location").waitFor({ state: "detached" });
  await page.getByText("Off duty", { exact: true }).click();
  await page.getByText("On duty", { exact: true }).waitFor();
  await settled(page);
  await eventually(async () =>
    assert.equal(await page.getByRole("switch", { name: "Share my location" }).isChecked(), false),
  );
});

test("a driver whose browser does not allow the location is told, and sends none", async () => {
  const page = await v.login("driver", phone);
  const browser = await page.context().newCDPSession(page);
  await browser.send("Browser.setPermission", { permission: { name: "geolocation" }, setting: "denied" });
  const sent: string[] = [];
  page.on("request", (request) => void (request.url().includes("/location") && sent.push(request.url())));
  await page.getByText("Share my location").click();
  await page.getByText("The browser does not allow the location").waitFor();
  await eventually(async () =>
    assert.equal(await page.getByRole("switch", { name: "Share my location" }).isChecked(), false),
  );
  await page.getByText("Sharing location").waitFor({ state: "detached" });
  await settled(page);
  assert.deepEqual(sent, []);
});

test("a chosen pickup is shown also when no column has it: it has ended, or is filtered out", async () => {
  const ended = await submitted(v, { pickup_address: "3 Ended St" });
  unwrap(await v.as("dispatcher").pickups.cancel(ended, { reason: "Road closed" }));
  const open = await submitted(v, { pickup_address: "4 Open St" });
  const page = await v.login("dispatcher");
  await page.getByRole("button", { name: "Show those that ended" }).click();
  await press(card(page, "CANCELED", "3 Ended"));
  await chosen(page, ended).getByText("3 Ended St").waitFor();
  await chosen(page, ended).getByText("Canceled").waitFor();
  // It stays when it ends while it is looked at. Cards that are out of sight are not in the page.
  await page.locator("[data-status=SUBMITTED]").scrollIntoViewIfNeeded();
  await press(card(page, "SUBMITTED", "4 Open"));
  await chosen(page, open).getByRole("button", { name: "Dispatch nearest" }).waitFor();
  unwrap(await v.as("dispatcher").pickups.cancel(open));
  await chosen(page, open).getByText("Canceled").waitFor();
  await chosen(page, open).getByRole("button", { name: "Dispatch nearest" }).waitFor({ state: "detached" });
  await page.goto(`${v.server.url}/board/?pickup=${ended}&text=nothing-has-this`);
  await chosen(page, ended).getByText("3 Ended St").waitFor();
  for (const none of [newId(), "no-id"]) {
    await page.goto(`${v.server.url}/board/?pickup=${none}`);
    await page.getByText("There is no such pickup, or you may not see it.").waitFor();
  }
});

test("the nearest driver comes first, is dispatched by one button, and released", async () => {
  const [pickup_latitude, pickup_longitude] = [40, -100];
  const id = await submitted(v, { pickup_address: "5 Nearest St", pickup_latitude, pickup_longitude });
  const at = (name: string, latitude: number) =>
    v.as("admin").drivers.create({ name, on_duty: true, latitude, longitude: -100 });
  const ids = [unwrap(await at("Further", 40.2)).id, unwrap(await at("Nearest", 40.01)).id];
  const page = await v.login("dispatcher");
  await press(card(page, "SUBMITTED", "5 Nearest"));
  await freeDriver(page, "Nearest").getByText("1.1 km").waitFor();
  await eventually(async () => {
    const names = await page.locator(".driver-list.free .name").allTextContents();
    assert.deepEqual(names.slice(0, 2), ["Nearest", "Further"]);
  });
  await chosen(page, id).getByRole("button", { name: "Dispatch nearest" }).click();
  await card(page, "ASSIGNED", "5 Nearest").getByText("Nearest", { exact: true }).waitFor();
  await page.locator(".driver-list.busy").getByText("Nearest").waitFor();
  await chosen(page, id).getByRole("button", { name: "Release driver" }).click();
  await card(page, "SUBMITTED", "5 Nearest").waitFor();
  await freeDriver(page, "Nearest").waitFor();
  // Both are shown before the server has answered.
  await eventually(async () => assert.equal(unwrap(await v.as("admin").pickups.get(id)).driver_id ?? null, null));
  unwrap(await v.as("dispatcher").pickups.cancel(id));
  for (const id of ids) {
    unwrap(await v.as("admin").drivers.edit(unwrap(await v.as("admin").drivers.get(id)), { on_duty: false }));
  }
});

test("a dispatcher's filters by facility and driver have all of them, and are in the address", async () => {
  await assigned({ pickup_address: "6 Filtered St" });
  const [own] = unwrap(await v.as("staff").facilities.list().page()).items;
  const facilities = unwrap(await v.as("admin").facilities.list().page()).items;
  const other = facilities.find(({ id }) => id !== own?.id);
  assert(own && other);
  const page = await v.login("dispatcher");
  // As if there were more than one page of each.
  await page.route(/\/v1\/(facilities|drivers)\?.*limit=200/, (route) =>
    route.continue({ url: route.request().url().replace("limit=200", "limit=1") }),
  );
  await page.reload();
  const pick = (field: string, name: string) => choose(page, new RegExp(field), name);
  await card(page, "ASSIGNED", "6 Filtered").waitFor();
  for (const { name } of facilities) {
    await pick("Facility", name);
    await page.getByRole("button", { name: new RegExp(`${name}.*Facility|Facility.*${name}`) }).waitFor();
  }
  await pick("Facility", other.name);
  await card(page, "ASSIGNED", "6 Filtered").waitFor({ state: "detached" });
  await eventually(() => assert.match(page.url(), new RegExp(`facility_id=${other.id}`)));
  await pick("Facility", own.name);
  await pick("Driver", "Demo driver");
  await card(page, "ASSIGNED", "6 Filtered").waitFor();
  await page.reload();
  await card(page, "ASSIGNED", "6 Filtered").waitFor();
  assert.match(page.url(), new RegExp(`facility_id=${own.id}`));
  assert.match(page.url(), new RegExp(`driver_id=${await demoDriver()}`));
});

test("a card asks for attention after half an hour, and for help after an hour", async () => {
  const start = Date.now();
  const id = await submitted(v, { pickup_address: "7 Waiting St" });
  const page = await v.login("dispatcher");
  const waiting = card(page, "SUBMITTED", "7 Waiting").locator(".waiting");
  for (const [minutes, heat] of [
    [29, "cool"],
    [31, "warm"],
    [61, "hot"],
  ] as const) {
    await page.clock.setFixedTime(start + minutes * 60_000);
    await page.reload();
    await waiting.waitFor();
    await eventually(async () =>
      assert.match((await waiting.getAttribute("class")) ?? "", new RegExp(heat), `after ${minutes} minutes`),
    );
  }
  unwrap(await v.as("dispatcher").pickups.cancel(id));
});

test("staff book like before, save a draft, submit and cancel it", async () => {
  const before = await submitted(v, {
    pickup_address: "8 Template St",
    dropoff_address: "9 Lab Rd",
    price_cents: 4_250,
  });
  const page = await v.login("staff");
  await page.getByRole("button", { name: /8 Template St/ }).click();
  for (const [field, value] of [
    ["Collect at", "8 Template St"],
    ["Deliver to", "9 Lab Rd"],
    ["Price", "42.50"],
  ] as const) {
    await eventually(async () => assert.equal(await page.getByLabel(field).inputValue(), value));
  }
  await page.getByLabel("Note for the driver").fill("The draft");
  await page.getByRole("button", { name: "Save as draft" }).click();
  await page.getByText(/^Draft .* is saved/).waitFor();
  const row = page.locator("[data-pickup]").filter({ hasText: "8 Template St" }).first();
  await row.getByText("Draft", { exact: true }).waitFor();
  const id = (await row.getAttribute("data-pickup")) ?? "";
  assert.equal(unwrap(await v.as("staff").pickups.get(id)).note, "The draft");
  await row.getByRole("button", { name: "Submit" }).click();
  await row.getByText("Waiting", { exact: true }).first().waitFor();
  await becomes(id, "SUBMITTED");
  await row.getByRole("button", { name: "Cancel" }).click();
  await page.getByLabel("Why?").fill("Not needed");
  await page.getByRole("dialog").getByRole("button", { name: "Cancel" }).click();
  await row.getByText("Canceled", { exact: true }).waitFor();
  await eventually(async () =>
    assert.equal(unwrap(await v.as("staff").pickups.get(id)).cancel_reason, "Not needed"),
  );
  unwrap(await v.as("dispatcher").pickups.cancel(before));
});

test("appointments are today's also after midnight, and are read again while the page is open", async () => {
  const page = await v.login("staff", { timezoneId: "UTC" });
  const midnight = new Date();
  midnight.setUTCHours(24, 0, 0, 0);
  await page.clock.install({ time: midnight.getTime() - 600_000 }); // the page's clock goes on while it is read
  const asksFor = (from: Date) =>
    page.waitForRequest((request) => {
      const { pathname, searchParams } = new URL(request.url());
      return pathname === "/v1/appointments" && Date.parse(searchParams.get("from") ?? "") === from.getTime();
    });
  const yesterday = new Date(midnight.getTime() - 86_400_000);
  const first = asksFor(yesterday);
  await page.reload();
  await first;
  await page.getByRole("heading", { name: /Today's appointments/ }).waitFor();
  const next = asksFor(midnight);
  await page.clock.fastForward(615_000);
  await next;
  const again = asksFor(midnight);
  await page.clock.fastForward(65_000);
  await again;
});

test("a booking's window is never one that has passed without a word", async () => {
  const page = await v.login("staff", { timezoneId: "UTC" });
  await page.clock.install();
  await page.reload();
  const start = async () => Date.parse(`${await page.getByLabel("Collect from").inputValue()}Z`);
  const now = () => page.evaluate(() => Date.now());
  await page.getByLabel("Collect at").fill("10 Noon St");
  await page.getByLabel("Deliver to").fill("1 Lab Way");
  await page.getByLabel("Price").fill("35.00");
  await page.clock.fastForward(5 * 3_600_000);
  await page.clock.runFor(11_000);
  await eventually(async () => assert.ok((await start()) > (await now()), "what is offered has passed"));
  // What was set stays, and the page says when it has passed.
  const soon = new Date((await now()) + 1_800_000).toISOString().slice(0, 16);
  await page.getByLabel("Collect from").fill(new Date((await now()) + 60_000).toISOString().slice(0, 16));
  await page.getByLabel("Collect until").fill(soon);
  await page.clock.fastForward(3_600_000);
  await page.clock.runFor(11_000);
  await page.getByText("This window has passed.").waitFor();
  assert.equal(await page.getByLabel("Collect until").inputValue(), soon);
  await choose(page, /Charge to/);
  await page.getByRole("button", { name: "Book", exact: true }).click();
  await page.getByText(/Pickup .* is booked/).waitFor();
  await page.getByText("This window has passed.").waitFor({ state: "detached" });
  await eventually(async () => assert.ok((await start()) > (await now()), "the next booking's window has passed"));
});

test("a search of patients that fails is told, and tried again", async () => {
  const [facility_id] = unwrap(await v.as("staff").facilities.list().page()).items.map(({ id }) => id);
  assert(facility_id);
  const name = { given_name: "Wilhelmina", family_name: "Sought", birth_date: "1980-01-01" };
  unwrap(await v.as("dispatcher").patients.create({ ...name, facility_id }));
  const page = await v.login("staff");
  const field = page.getByRole("combobox", { name: "Patient" });
  // A search that is out when more is typed is given up, which is no error of the page.
  let searches = 0;
  await page.route("**/v1/patients/search", (route) =>
    ++searches === 1 ? new Promise<void>(() => {}) : route.fulfill(refusal),
  );
  const first = page.waitForRequest("**/v1/patients/search");
  await field.pressSequentially("Wil");
  await first;
  await field.pressSequentially("hel");
  const failed = page.getByRole("alert").filter({ hasText: "The patients could not be searched" });
  await failed.getByText("Refused by the test.").waitFor();
  await page.unroute("**/v1/patients/search");
  await failed.getByRole("button", { name: "Try again" }).click();
  await failed.waitFor({ state: "detached" });
  await field.press("ArrowDown");
  await page.getByRole("option", { name: /Wilhelmina Sought/ }).click();
});

test("a pickup's page whose rules cannot be read says so, and has its buttons when they are read again", async () => {
  const id = await submitted(v, { pickup_address: "16 Ruled St" });
  const page = await v.login("dispatcher");
  await page.route("**/v1/pickup-transitions*", (route) => route.fulfill(refusal));
  await page.goto(`${v.server.url}/board/pickups/${id}`);
  const failed = page.getByRole("alert").filter({ hasText: "Could not be read. Refused by the test." });
  await failed.waitFor();
  await settled(page);
  await page.getByRole("button", { name: "Cancel" }).waitFor({ state: "detached" });
  await page.unroute("**/v1/pickup-transitions*");
  await failed.getByRole("button", { name: "Try again" }).click();
  await page.getByRole("button", { name: "Cancel" }).waitFor();
  await page.locator(".machine .state.now").getByText("Waiting").waitFor();
  unwrap(await v.as("dispatcher").pickups.cancel(id));
});

test("what cannot be read is told, and read when it is tried again", async () => {
  const page = await v.login("driver", phone);
  await page.route("**/v1/pickups?*", (route) => route.fulfill(refusal));
  await page.reload();
  const failed = page.getByRole("alert").filter({ hasText: "Could not be read. Refused by the test." });
  await failed.waitFor();
  await page.unroute("**/v1/pickups?*");
  await failed.getByRole("button", { name: "Try again" }).click();
  await page.getByText("You have no pickup").waitFor();
});

test("at the hub the end of an id is enough, a scan is listed at once, and a refusal is heard", async () => {
  const end = "abcdef";
  const like = (id = newId()) => id.slice(0, -6) + end;
  const ids = [like(), like()];
  for (const id of ids) {
    const change = { id, pickup_address: "11 Typed St" };
    assert.equal(await collected(change), id);
    // The driver is free for the next one.
    if (id === ids[0]) await atHub(id, "receive", "pack", "ship", "deliver");
  }
  const page = await v.login("hub");
  await page.addInitScript(() => {
    const heard: string[] = [];
    Object.assign(window, { heard });
    const start = OscillatorNode.prototype.start;
    OscillatorNode.prototype.start = function (...args) {
      heard.push("beep");
      return start.apply(this, args);
    };
    navigator.vibrate = () => heard.push("shake") > 0;
  });
  await page.reload();
  const heard = () => page.evaluate(() => (window as unknown as { heard: string[] }).heard);
  const coming = page.getByRole("region", { name: "Coming in" });
  await coming.getByText("ABCDEF").waitFor();
  let answer = () => {};
  const answered = new Promise<void>((resolve) => (answer = resolve));
  await page.route("**/receive", async (route) => {
    await answered;
    await route.continue();
  });
  // One of the two is open here: the other was delivered.
  await scan(page, "ABCDEF");
  await page.getByRole("list", { name: "Being sent" }).getByText("ABCDEF: being sent").waitFor();
  answer();
  await page.getByRole("alert").getByText("Received: ABCDEF").waitFor();
  await page.getByText("ABCDEF: being sent").waitFor({ state: "detached" });
  await settled(page);
  assert.deepEqual(await heard(), []);
  assert.equal(await statusOf(ids[1]!), "RECEIVED");
  await scan(page, "000000");
  await page.getByRole("alert").getByText("000000: No pickup has this id").waitFor();
  await eventually(async () => assert.deepEqual(await heard(), ["shake", "beep", "beep"]));
  await page.getByRole("region", { name: "Here" }).getByText("ABCDEF").waitFor();

  // Of two that are open none is taken.
  await page.route("**/v1/pickups?*", async (route) => {
    const response = await route.fetch();
    const { items, ...others } = await response.json();
    const more = items.slice(0, 1).map((item: object) => ({ ...item, id: like() }));
    await route.fulfill({ response, json: { ...others, items: [...items, ...more] } });
  });
  await scan(page, end);
  await page.getByRole("alert").getByText("2 pickups have an id that ends like this").waitFor();
  await settled(page);
  assert.equal(await statusOf(ids[1]!), "RECEIVED");
  await page.unroute("**/v1/pickups?*");
});

test("what is overdue at the hub is told, with the others' windows left unread", async () => {
  const at = (minutes: number) => new Date(Date.now() + minutes * 60_000).toISOString();
  const late = { window_start: at(-120), window_end: at(-61), pickup_address: "12 Overdue St" };
  const id = await collected(late);
  await atHub(id, "receive", "pack", "ship");
  const page = await v.login("hub");
  const unbounded: string[] = [];
  page.on("request", (request) => {
    const { pathname, searchParams } = new URL(request.url());
    const isWhole = pathname === "/v1/pickups" && searchParams.get("limit") === "200";
    if (isWhole && !searchParams.has("window_to")) unbounded.push(request.url());
  });
  await page.reload();
  const overdue = page.locator(".overdue");
  const row = overdue.getByRole("listitem").filter({ hasText: "12 Overdue St" });
  await row.getByText(/due 1 h \d min ago/).waitFor();
  await row.getByText(shortId(id)).waitFor();
  // It is not any more when it is delivered; another one becomes overdue while the page is open.
  await row.getByRole("button", { name: "Deliver" }).click();
  await overdue.getByText("Nothing is overdue.").waitFor();
  await becomes(id, "DELIVERED"); // before, the driver is not free for another one
  await collected({ window_start: at(-60), window_end: at(30), pickup_address: "13 Soon St" });
  await page.getByRole("region", { name: "Coming in" }).getByText("13 Soon St").waitFor();
  await overdue.getByText("Nothing is overdue.").waitFor();
  await page.clock.install();
  await page.clock.fastForward(32 * 60_000);
  await overdue.getByRole("listitem").filter({ hasText: "13 Soon St" }).waitFor();
  await settled(page);
  assert.deepEqual(unbounded, []);
});

test("a pickup's page draws the way it took, and has its money", async () => {
  const id = await collected({ pickup_address: "14 Drawn St", price_cents: 12_345 });
  const page = await v.login("dispatcher");
  await page.goto(`${v.server.url}/board/pickups/${id}`);
  await page.locator(".machine .state.now").getByText("Collected").waitFor();
  // The pickup and its events come in two answers.
  await page
    .getByRole("img", { name: /^Statuses of a pickup.*Submitted\. Assigned .*Collected .*Collected$/ })
    .waitFor();
  await eventually(async () => {
    const had = await page.locator(".machine .state.had text:not(.when)").allTextContents();
    assert.deepEqual(new Set(had), new Set(["Draft", "Waiting", "Assigned", "Collected"]));
    assert.equal(await page.locator(".machine .arrow.taken").count(), 3);
  });
  const money = page.locator(".money");
  await money
    .getByText(/123\.45/)
    .first()
    .waitFor();
  await money.getByRole("link").waitFor();
  unwrap(await v.as("dispatcher").pickups.reprice(id, { price_cents: 10_000 }));
  await money
    .getByText(/100\.00/)
    .first()
    .waitFor();
});

test("an account's statement is shown and downloaded, and a download that fails is told", async () => {
  const id = await collected({ pickup_address: "15 Charged St", price_cents: 7_777 });
  await atHub(id, "receive", "pack", "ship", "deliver");
  const { account_id } = unwrap(await v.as("admin").pickups.get(id));
  const page = await v.login("admin");
  await page.goto(`${v.server.url}/board/accounts/${account_id}`);
  const line = page
    .locator(".statement")
    .getByRole("row")
    .filter({ hasText: shortId(id) });
  await line.getByText("Charge", { exact: false }).first().waitFor();
  await line
    .getByText(/77\.77/)
    .first()
    .waitFor();
  const csv = page.getByRole("button", { name: "Download as CSV" });
  const isCsv = (url: URL) => url.pathname.endsWith("/statement");
  await page.route(isCsv, (route) =>
    route.request().headers()["accept"] === "text/csv" ? route.fulfill(refusal) : route.continue(),
  );
  await csv.click();
  await page.locator(".notice.refused").getByText("Refused by the test.").waitFor();
  await page.unroute(isCsv);
  await page.route(isCsv, (route) => route.abort());
  await csv.click();
  await page.locator(".notice.refused").getByText("The server did not answer").waitFor();
  await page.unroute(isCsv);
  const saved = page.waitForEvent("download");
  await csv.click();
  const file = await saved;
  assert.equal(file.suggestedFilename(), `statement-${account_id}.csv`);
  assert.match(await readFile(await file.path(), "utf8"), new RegExp(id));
});

test("an admin turns a flag, adds a user who can log in, and deactivates them", async () => {
  const page = await v.login("admin");
  await page.goto(`${v.server.url}/board/flags`);
  const [flag] = unwrap(await v.as("admin").flags.list().page()).items;
  assert(flag);
  const enabled = async () =>
    unwrap(await v.as("admin").flags.list().page()).items.find(({ name }) => name === flag.name)?.enabled;
  for (const on of [!flag.enabled, flag.enabled]) {
    await page.locator("label").filter({ hasText: flag.name }).click();
    await eventually(async () => assert.equal(await enabled(), on));
    await page
      .locator("label")
      .filter({ hasText: flag.name })
      .getByText(on ? "On" : "Off")
      .waitFor();
  }
  await page.goto(`${v.server.url}/board/users`);
  const form = page.locator("form").filter({ hasText: "Add a user" });
  await form.getByLabel("Name").fill("New Colleague");
  await form.getByLabel("Email").fill("new@demo.example");
  await form.getByLabel("First password").fill("waybill-new-1");
  await form.getByRole("button", { name: "Add", exact: true }).click();
  await page.getByText("New Colleague can log in now.").waitFor();
  const logIn = () =>
    v.as("admin").sessions.login({ tenant: v.server.tenant, email: "new@demo.example", password: "waybill-new-1" });
  assert.equal(unwrap(await logIn()).user.role, "staff");
  const row = page.getByRole("row").filter({ hasText: "new@demo.example" });
  await row.getByRole("button", { name: "Deactivate" }).click();
  await row.getByRole("button", { name: "Reactivate" }).waitFor();
  await eventually(async () => assert.equal((await logIn()).ok, false));
});

test("with many facilities, the clinic's page reads the appointments of the chosen one", async () => {
  const [own] = unwrap(await v.as("staff").facilities.list().page()).items;
  const page = await v.login("staff");
  assert(own);
  const more = Array.from({ length: 5 }, (_, i) => ({ ...own, id: newId(), name: `Branch ${i + 1}` }));
  await page.route("**/v1/facilities?*", async (route) => {
    const response = await route.fetch();
    const { items, ...others } = await response.json();
    await route.fulfill({ response, json: { ...others, items: [...items, ...more] } });
  });
  const asked = new Set<string | null>();
  page.on("request", (request) => {
    const { pathname, searchParams } = new URL(request.url());
    if (pathname === "/v1/appointments") asked.add(searchParams.get("facility_id"));
  });
  await page.route(`**/v1/appointments?*${more[4]!.id}*`, (route) => route.fulfill({ json: { items: [] } }));
  await page.route(`**/v1/pickups?*${more[4]!.id}*`, (route) => route.fulfill({ json: { items: [] } }));
  await page.reload();
  await page.getByRole("heading", { name: `Today's appointments ${own.name}` }).waitFor();
  await choose(page, /Appointments at/, "Branch 5");
  await page.getByRole("heading", { name: "Today's appointments Branch 5" }).waitFor();
  await page.getByText("No appointment today.").waitFor();
  await settled(page);
  assert.deepEqual([...asked], [own.id, more[4]!.id]);
});
