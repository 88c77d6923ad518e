import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";

import { unwrap } from "../../ts/dist/src/index.js";
import {
  card,
  choose,
  driver,
  live,
  order,
  type Page,
  press,
  submitted,
  userOf,
  visit,
  type Visit,
} from "./visit.js";
import { eventually, settled } from "./wait.js";

let v: Visit;

before(async () => {
  v = await visit();
});

after(() => v?.close());

afterEach(async () => assert.deepEqual(await v.complaints(), []));

/** Types an id as a scanner does. */
async function scan(hub: Page, id: string): Promise<void> {
  await hub.getByLabel("Scan or type an id").fill(id);
  await hub.keyboard.press("Enter");
}

test("five people walk a pickup through its life, each on a page of their own", async () => {
  const [staff, dispatcher, driverPage, hub, admin] = [
    await v.login("staff"),
    await v.login("dispatcher"),
    await v.login("driver", { viewport: { width: 390, height: 844 }, hasTouch: true }),
    await v.login("hub"),
    await v.login("admin"),
  ];
  await driverPage.getByText("On duty", { exact: true }).waitFor();

  await staff.getByLabel("Collect at").fill("77 Lifecycle St");
  await staff.getByLabel("Deliver to").fill("1 Lab Way");
  await staff.getByLabel("Price").fill("35.00");
  await choose(staff, /Charge to/);
  await staff.getByRole("button", { name: "Book", exact: true }).click();
  await staff.getByText(/Pickup .* is booked/).waitFor();
  await staff.getByText("Waiting", { exact: true }).first().waitFor();

  // Another one's page shows it without a reload. The card is assigned by its button.
  await press(card(dispatcher, "SUBMITTED", "77 Lifecycle"));
  await press(dispatcher.getByRole("button", { name: "Assign to Demo driver" }));
  await card(dispatcher, "ASSIGNED", "77 Lifecycle").waitFor();

  await driverPage.getByRole("button", { name: "Collect" }).click();
  await driverPage.getByText("Collected", { exact: true }).waitFor();
  await driverPage.getByText("being sent").waitFor({ state: "detached" }); // until then the hub does not have it

  // The label has the id that the clinic's page leads to.
  await staff.getByRole("listitem").filter({ hasText: "77 Lifecycle" }).getByRole("link").first().click();
  await staff.locator(".way-taken").waitFor();
  const id = new URL(staff.url()).pathname.split("/").pop()!; // by which the way is shown
  for (const step of ["Received", "Packed", "Shipped", "Delivered"]) {
    await scan(hub, `https://labels.example/${id}`);
    await hub.getByRole("alert").getByText(step).waitFor();
  }
  await scan(hub, id);
  await hub.getByText("Nothing more to do").waitFor();
  await scan(hub, "4711");
  await hub.getByText("not an id").waitFor();

  await admin.getByRole("button", { name: "Show those that ended" }).click();
  await press(card(admin, "DELIVERED", "77 Lifecycle"));
  await admin.getByRole("link", { name: "Open", exact: true }).click();
  await eventually(() => assert.equal(new URL(admin.url()).pathname, `/board/pickups/${id}`));
  for (const step of ["Submitted", "Assigned", "Collected", "Received", "Packed", "Shipped", "Delivered"]) {
    await admin.locator(".way-taken").getByText(step, { exact: true }).waitFor();
  }
  await staff.getByText("Delivered", { exact: true }).first().waitFor();
});

test("of two dispatchers who drag the same card at once one wins, and the other sees why", async () => {
  await Promise.all([driver(v, "Left"), driver(v, "Right")]);
  await submitted(v, { pickup_address: "12 Contested St" });
  const [left, right] = [await v.login("dispatcher"), await v.login("dispatcher")];
  const drag = async (page: Page, name: string) => {
    const to = page.locator(".driver-list.free").getByRole("row").filter({ hasText: name });
    await to.waitFor();
    await card(page, "SUBMITTED", "12 Contested").dragTo(to);
  };
  for (const page of [left, right]) await settled(page); // a card that moves meanwhile is not the one that is dragged
  // Both requests are let go when both have been sent: by each page, which sends one again that is not answered.
  const sent = new Set<Page>();
  let both = () => {};
  const out = new Promise<void>((resolve) => (both = resolve));
  for (const page of [left, right]) {
    await page.route("**/assign", async (route) => {
      if (sent.add(page).size === 2) both();
      await out;
      await route.continue();
    });
  }
  await drag(left, "Left");
  // The card has moved at once, before any answer.
  await card(left, "ASSIGNED", "12 Contested").waitFor();
  await drag(right, "Right");
  await card(right, "ASSIGNED", "12 Contested").waitFor();
  const refused = await Promise.race(
    [left, right].map(async (page) => {
      await page.locator(".notice.refused").getByText("It is assigned now").waitFor();
      return page;
    }),
  );
  const winner = refused === left ? "Right" : "Left";
  for (const page of [left, right]) await card(page, "ASSIGNED", "12 Contested").getByText(winner).waitFor();
});

test("of two pickups for one driver the second comes back to its column, with the reason", async () => {
  const name = "Both want me";
  await driver(v, name);
  const [first, second] = [
    await submitted(v, { pickup_address: "1 Wanted St" }),
    await submitted(v, { pickup_address: "2 Wanted St" }),
  ];
  const page = await v.login("dispatcher");
  // The second request is sent when the first is done, and is shown as it will be until then.
  let done = () => {};
  const isDone = new Promise<void>((resolve) => (done = resolve));
  await page.route("**/assign", async (route) => {
    if (route.request().url().includes(second)) await isDone;
    await route.continue();
  });
  for (const word of ["1 Wanted", "2 Wanted"]) {
    await press(card(page, "SUBMITTED", word));
    await press(page.getByRole("button", { name: `Assign to ${name}` }));
    await card(page, "ASSIGNED", word).waitFor();
    if (word === "1 Wanted")
      await card(page, "ASSIGNED", word).getByText("being sent").waitFor({ state: "detached" });
  }
  await card(page, "SUBMITTED", "2 Wanted").waitFor({ state: "detached" });
  // Also where the list is read again meanwhile, for what somebody else does.
  await submitted(v, { pickup_address: "3 Wanted St" });
  await card(page, "SUBMITTED", "3 Wanted").waitFor();
  assert.equal(await card(page, "SUBMITTED", "2 Wanted").count(), 0);
  assert.equal(await card(page, "ASSIGNED", "2 Wanted").count(), 1);
  done();
  const notice = page.locator(".notice.refused");
  await notice.getByText(/driver/i).waitFor();
  await card(page, "SUBMITTED", "2 Wanted").waitFor();
  await card(page, "ASSIGNED", "2 Wanted").waitFor({ state: "detached" });
  await card(page, "ASSIGNED", "1 Wanted").getByText(name).waitFor();
  await notice.getByRole("link", { name: "Open the pickup that the driver has" }).click();
  await page.getByRole("heading", { name: `Pickup ${first.slice(-6).toUpperCase()}` }).waitFor();
});

test("what one dispatcher does comes to the other's board by the stream's event, with its counts", async (t) => {
  await driver(v, "Both boards");
  await submitted(v, { pickup_address: "1 Both St" });
  const [left, right] = [await v.login("dispatcher"), await v.login("dispatcher")];
  const count = (page: Page, status: string) => page.locator(`[data-status=${status}] h2 output`);
  await press(card(left, "SUBMITTED", "1 Both"));
  await card(right, "SUBMITTED", "1 Both").waitFor();
  // The counts of columns come in an answer of their own, and again for each event that came before.
  const { items } = unwrap(await v.as("dispatcher").pickups.getCounts());
  const countOf = (status: string) => items.find((item) => item.status === status)?.count ?? 0;
  const [waiting, assigned] = [countOf("SUBMITTED"), countOf("ASSIGNED")];
  const says = (page: Page, status: string, number: number) =>
    count(page, status).getByText(String(number), { exact: true }).waitFor();
  for (const page of [left, right]) {
    await says(page, "SUBMITTED", waiting);
    await says(page, "ASSIGNED", assigned);
    await settled(page);
  }
  // The lists may not be read again: the card moves by what the event says.
  const loaded = await right.evaluate(() => performance.timeOrigin);
  let reads = 0;
  let letGo = () => {};
  const held = new Promise<void>((resolve) => (letGo = resolve));
  await right.route(/\/v1\/pickups\?/, async (route) => {
    reads++;
    await held;
    await route.continue();
  });
  const began = Date.now();
  await press(left.getByRole("button", { name: "Assign to Both boards" }));
  await card(right, "ASSIGNED", "1 Both").getByText("Both boards").waitFor();
  t.diagnostic(`the card had moved after ${Date.now() - began} ms, before any of ${reads} lists was answered`);
  await card(right, "SUBMITTED", "1 Both").waitFor({ state: "detached" });
  letGo();
  for (const page of [left, right]) {
    await says(page, "SUBMITTED", waiting - 1);
    await says(page, "ASSIGNED", assigned + 1);
  }
  t.diagnostic(`the counts were right after ${Date.now() - began} ms`);
  assert.equal(await right.evaluate(() => performance.timeOrigin), loaded);
});

test("a card is assigned by keyboard alone", async () => {
  await driver(v, "Keyboard");
  await submitted(v, { pickup_address: "5 Keyboard Row" });
  const page = await v.login("dispatcher");
  const row = card(page, "SUBMITTED", "5 Keyboard");
  await row.waitFor();
  // Dragging begins where there is something to drop on.
  await page.locator(".driver-list.free").getByRole("row").filter({ hasText: "Keyboard" }).waitFor();
  // Into the list, down to the row, and right to its grip.
  const at = () => page.evaluate(() => document.activeElement?.getAttribute("aria-label") ?? "");
  const press = async (key: string) => {
    await page.keyboard.press(key);
    await page.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))));
  };
  await settled(page); // a list that is read again may take the focus elsewhere
  await row.focus();
  for (let i = 0; i < 20 && !(await at()).includes("5 Keyboard"); i++) await press("ArrowDown");
  for (let i = 0; i < 5 && !(await at()).startsWith("Drag"); i++) await press("ArrowRight");
  assert.match(await at(), /^Drag .*5 Keyboard/);
  await page.keyboard.press("Enter");
  // Every driver in the list has a place to drop; the arrows go from one to the next.
  await page.waitForFunction(() => document.activeElement?.getAttribute("aria-label")?.startsWith("Drop on"));
  for (let i = 0; i < 20 && (await at()) !== "Drop on Keyboard"; i++) await press("ArrowDown");
  assert.equal(await at(), "Drop on Keyboard");
  await page.keyboard.press("Enter");
  await card(page, "ASSIGNED", "5 Keyboard").getByText("Keyboard").waitFor();
});

test("a status that the rules have anew has its column: among those that wait, or those that ended", async () => {
  const page = await v.login("dispatcher");
  await page.route("**/v1/pickup-transitions*", async (route) => {
    const answer = await route.fetch();
    const { items, ...others } = await answer.json();
    const rule = (transition: string, from: string, to_status: string) => {
      return { transition, from_statuses: [from], to_status, has_driver: false, roles: ["hub"] };
    };
    const more = [
      rule("hold", "SHIPPED", "HELD"),
      rule("resume", "HELD", "SHIPPED"),
      rule("lose", "SHIPPED", "LOST"),
    ];
    await route.fulfill({ response: answer, json: { ...others, items: [...items, ...more] } });
  });
  for (const status of ["HELD", "LOST"]) {
    await page.route(`**/v1/pickups?*status=${status}*`, (route) => route.fulfill({ json: { items: [] } }));
  }
  await page.reload();
  const statuses = () => page.locator("[data-status]").evaluateAll((all) => all.map((c) => c.dataset.status));
  await page.locator("[data-status=HELD]").getByRole("heading", { name: "HELD" }).waitFor();
  const open = ["SUBMITTED", "ASSIGNED", "COLLECTED", "RECEIVED", "PACKED", "SHIPPED", "HELD"];
  await eventually(async () => assert.deepEqual(await statuses(), open));
  await page.getByRole("button", { name: "Show those that ended" }).click();
  await page.locator("[data-status=LOST]").waitFor();
  await eventually(async () => assert.deepEqual(await statuses(), [...open, "CANCELED", "DELIVERED", "LOST"]));
});

test("a dispatcher's filters are in the address, and are the same after a reload", async () => {
  await submitted(v, { pickup_address: "8 Filtered Ave" });
  await submitted(v, { pickup_address: "9 Other Ave" });
  const page = await v.login("dispatcher");
  await card(page, "SUBMITTED", "9 Other").waitFor();
  await page.getByLabel("Words in address or note").fill("filtered");
  await card(page, "SUBMITTED", "9 Other").waitFor({ state: "detached" });
  await eventually(() => assert.match(page.url(), /text=filtered/));
  await page.reload();
  await card(page, "SUBMITTED", "8 Filtered").waitFor();
  await settled(page);
  await card(page, "SUBMITTED", "9 Other").waitFor({ state: "detached" });
  await page.getByRole("button", { name: "Clear filters" }).click();
  await card(page, "SUBMITTED", "9 Other").waitFor();
});

test("a cancellation has its reason, which the clinic reads", async () => {
  const id = await submitted(v, { pickup_address: "3 Canceled Ct" });
  const page = await v.login("dispatcher");
  await press(card(page, "SUBMITTED", "3 Canceled"));
  await page.getByRole("button", { name: "Cancel", exact: true }).click();
  await page.getByLabel("Why?").fill("Road closed");
  await page.getByRole("dialog").getByRole("button", { name: "Cancel" }).click();
  await card(page, "SUBMITTED", "3 Canceled").waitFor({ state: "detached" });
  const staff = await v.login("staff");
  await staff.goto(`${v.server.url}/board/pickups/${id}`);
  await staff.getByText("Road closed").waitFor();
});

const isWaiting = (url: URL) => url.pathname === "/v1/pickups" && url.search.includes("SUBMITTED");

test("what changes while a list is read for the first time is shown", async () => {
  const page = await v.login("dispatcher");
  let goOn = () => {};
  const changed = new Promise<void>((resolve) => (goOn = resolve));
  // The server answers before the change, and the page gets that when it has heard of the change.
  await page.route(
    isWaiting,
    async (route) => {
      const response = await route.fetch();
      await changed;
      await route.fulfill({ response });
    },
    { times: 1 },
  );
  await page.reload();
  await live(page).waitFor();
  const heard = page.waitForRequest("**/v1/drivers?*state=free*"); // of an event, the page reads the drivers again
  const id = await submitted(v, { pickup_address: "6 Meanwhile St" });
  await heard;
  goOn();
  await card(page, "SUBMITTED", "6 Meanwhile").waitFor();
  unwrap(await v.as("dispatcher").pickups.cancel(id, {}));
});

test("what changes after a list is read, and before the stream is open, is shown", async () => {
  const page = await v.login("dispatcher");
  let goOn = () => {};
  const changed = new Promise<void>((resolve) => (goOn = resolve));
  await page.route(
    "**/v1/pickups/stream",
    async (route) => {
      await changed;
      await route.continue();
    },
    { times: 1 },
  );
  const read = page.waitForResponse((response) => isWaiting(new URL(response.url())));
  await page.reload();
  await read;
  const id = await submitted(v, { pickup_address: "7 Unheard St" });
  goOn();
  await live(page).waitFor();
  await card(page, "SUBMITTED", "7 Unheard").waitFor();
  unwrap(await v.as("dispatcher").pickups.cancel(id, {}));
});

test("the way of a pickup says what each step charged or gave back, and why", async () => {
  const id = await submitted(v, { price_cents: 1200, dropoff_address: "9 Money St" });
  const dispatcher = v.as("dispatcher");
  unwrap(await dispatcher.pickups.reprice(id, { price_cents: 1550 }));
  unwrap(await dispatcher.pickups.refund(id, { amount_cents: 225, reason: "Two hours late" }));
  unwrap(await dispatcher.pickups.cancel(id, {}));
  for (const role of ["dispatcher", "staff"] as const) {
    const page = await v.login(role);
    await page.goto(`${v.server.url}/board/pickups/${id}`);
    const way = page.locator(".way-taken li");
    for (const [step, amount] of [
      ["Submitted", /12\.00 charged/],
      ["Price changed", /3\.50 charged/],
      ["Refunded", /2\.25 given back.*Two hours late/],
      ["Canceled", /13\.25 given back/],
    ] as const) {
      await way.filter({ hasText: step }).filter({ hasText: amount }).waitFor();
    }
    await settled(page);
    await eventually(async () => assert.equal(await page.locator(".moved").count(), 4));
  }
});

test("staff get nothing of a foreign facility; no patient is in an address, a title or a storage", async () => {
  const facilities = unwrap(await v.as("admin").facilities.list().page()).items;
  const [own] = unwrap(await v.as("staff").facilities.list().page()).items;
  const foreign = facilities.find(({ id }) => id !== own?.id);
  assert(own && foreign);
  const secret = { given_name: "Zebulon", family_name: "Quux", birth_date: "1980-01-01" };
  const stranger = { given_name: "Foreigner", family_name: "Canary", birth_date: "1980-01-01" };
  const dispatcher = v.as("dispatcher");
  const patient = unwrap(await dispatcher.patients.create({ ...secret, facility_id: own.id }));
  unwrap(await dispatcher.patients.create({ ...stranger, facility_id: foreign.id }));
  const foreignOrder = await order(v, { facility_id: foreign.id, pickup_address: "66 Canary Wharf" });
  unwrap(await dispatcher.pickups.create(foreignOrder));
  const { id } = unwrap(await v.as("staff").pickups.create(await order(v, { patient_id: patient.id })));

  const page = await v.login("staff");
  const addresses: string[] = [];
  const answers: Promise<string>[] = [];
  page.on("request", (request) => addresses.push(request.url()));
  page.on("response", (response) => {
    if (!response.url().endsWith("/stream")) answers.push(response.text().catch(() => ""));
  });
  await page.getByRole("combobox", { name: "Patient" }).fill("zebu");
  await page.getByRole("option", { name: /Zebulon Quux/ }).click();
  await page.getByRole("combobox", { name: "Patient" }).fill("foreign");
  await page.getByText("Nobody of this name is found.").last().waitFor();
  await page.goto(`${v.server.url}/board/pickups/${id}`);
  await page.getByRole("button", { name: "Show the patient" }).click();
  await page.getByText("Zebulon Quux").waitFor();
  await settled(page);
  const storage = await page.evaluate(() =>
    JSON.stringify([{ ...sessionStorage }, { ...localStorage }, document.title]),
  );
  assert.doesNotMatch(`${storage} ${page.url()}`, /Zebulon|Quux|zebu/);
  assert.doesNotMatch(addresses.join(" "), /Zebulon|Quux|zebu/i);
  const everything = (await Promise.all(answers)).join(" ") + (await page.content());
  for (const canary of [foreign.id, foreign.name, "Foreigner", "Canary Wharf"]) {
    assert.ok(!everything.includes(canary), `${canary} reached the page`);
  }
});

test("each role has its own pages, and no other", async () => {
  for (const [role, path] of [
    ["staff", "users"],
    ["hub", "accounts"],
    ["driver", "flags"],
  ] as const) {
    const page = await v.login(role);
    await page.goto(`${v.server.url}/board/${path}`);
    await page.getByText("There is no such page.").waitFor();
    await live(page).waitFor();
  }
});

test("logging out ends the session on the server", async () => {
  const page = await v.login("hub");
  const token = await page.evaluate(() => JSON.parse(sessionStorage.getItem("waybill.session")!).token as string);
  assert.notEqual(token, userOf(v.server, "hub").token);
  await page.getByRole("button", { name: "Log out" }).click();
  await page.getByText("You are logged out.").waitFor();
  // The page is left at once, and the server told behind it.
  await eventually(async () => {
    const answer = await fetch(`${v.server.url}/v1/session`, { headers: { Authorization: `Bearer ${token}` } });
    assert.equal(answer.status, 401);
  });
});

test("the heading of a page that was opened has the focus, and a field of it that wants it keeps it", async () => {
  const page = await v.login("admin");
  const focused = () =>
    page.evaluate(() => `${document.activeElement?.localName} ${document.activeElement?.textContent}`);
  for (const name of ["Users", "Flags", "Accounts"]) {
    await page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name, exact: true }).click();
    await page.getByRole("heading", { level: 1, name }).waitFor();
    await eventually(async () => assert.equal(await focused(), `h1 ${name}`));
    await eventually(async () => assert.match(await page.title(), new RegExp(`^${name} `)));
  }
  const hub = await v.login("hub");
  await hub.getByRole("link", { name: "Demo hub" }).click();
  await hub.getByRole("link", { name: "Hub", exact: true }).click();
  await hub.getByLabel("Scan or type an id").waitFor();
  await settled(hub);
  await eventually(async () => assert.equal(await hub.evaluate(() => document.activeElement?.localName), "input"));
});
