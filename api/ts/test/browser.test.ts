import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { dirname, join, normalize } from "node:path";
import { after, afterEach, before, test } from "node:test";

import type { Browser, Page } from "playwright-core";

import { type Body, createWaybill, unwrap, type Waybill } from "../src/index.js";
import { operationOf, stepsOf } from "./arazzo.js";
import { launch, serveSite, type Site } from "./browser.js";
import type { Asked, Edits, Walk } from "./page/walk.js";
import { type Server, start } from "./server.js";
import { tell } from "./tell.js";
import { eventually, limit } from "./wait.js";

let server: Server;
let site: Site;
let browser: Browser;

before(async () => {
  server = await start();
  browser = await launch();
  site = await serveSite();
});

after(async () => {
  await browser?.close();
  await site?.close();
  await server?.stop();
});

// Its pages would go on reading while the next test runs.
afterEach(async () => {
  for (const context of browser.contexts()) {
    for (const page of context.pages()) await page.unrouteAll({ behavior: "ignoreErrors" });
    await context.close();
  }
});

/** Opens a page under a host name, which is part of its origin. */
async function open(host: string, file = ""): Promise<Page> {
  const page = await browser.newPage();
  page.setDefaultTimeout(limit);
  tell(page, "a page");
  await page.goto(`http://${host}:${site.port}/${file}`);
  return page;
}

function userOf(role: string) {
  const user = server.users.find((u) => u.role === role);
  assert(user);
  return user;
}

function as(role: string): Waybill {
  return createWaybill({ baseUrl: server.url, token: userOf(role).token });
}

async function order(): Promise<Body<"create-pickup">> {
  const [facility] = unwrap(await as("admin").facilities.list().page()).items;
  const [account] = unwrap(await as("admin").accounts.list().page()).items;
  assert(facility && account);
  return {
    facility_id: facility.id,
    account_id: account.id,
    price_cents: 100,
    pickup_address: "2401 Mission St",
    dropoff_address: "1 Lab Way",
  };
}

/** Creates a pickup, submits it, and returns its id. */
async function submitted(staff: Waybill): Promise<string> {
  const { id } = unwrap(await staff.pickups.create(await order()));
  unwrap(await staff.pickups.submit(id));
  return id;
}

/** Opens the page of another origin; what goes wrong in it is added to the problems. */
async function opened(): Promise<{ page: Page; asked: Asked; problems: string[] }> {
  const page = await open("127.0.0.1");
  const problems: string[] = [];
  page.on("pageerror", (error) => problems.push(error.message));
  const login = (role: string) => {
    const { email, password } = userOf(role);
    return { tenant: server.tenant, email, password };
  };
  const logins = { staff: login("staff"), dispatcher: login("dispatcher"), hub: login("hub") };
  return { page, asked: { url: server.url, logins }, problems };
}

test("a page of another origin, with the packed client, walks the Arazzo document's life of a pickup", async () => {
  const { page, asked, problems } = await opened();
  const answered: string[] = [];
  page.on("response", (response) => {
    const id = operationOf(response.request().method(), response.url());
    // The page follows the stream besides: it has no end, and so it is no step of a workflow.
    if (id !== undefined && id !== "stream-pickups") answered.push(`${id}: ${response.status()}`);
  });
  const walked: Walk = await page.evaluate((asked) => window.walk(asked), asked);
  const steps = await stepsOf("deliver-pickup");
  const transitions = ["submit", "assign", "collect", "receive", "pack", "ship", "deliver"];
  assert.deepEqual(walked, {
    statuses: ["DRAFT", "SUBMITTED", "ASSIGNED", "COLLECTED", "RECEIVED", "PACKED", "SHIPPED", "DELIVERED"],
    told: transitions,
    recorded: transitions,
    refused: "illegal_transition",
  } satisfies Walk);
  const expected = steps.map(({ operation, status }) => `${operation}: ${status}`);
  await eventually(() => assert.deepEqual(answered, expected)); // the browser may tell of an answer behind the page
  assert.deepEqual(walked.statuses, steps.flatMap(({ pickup }) => pickup ?? []));
  assert.deepEqual(problems, []);
});

test("a page of another origin, built with the packed client, repeats, edits and cancels a draft", async () => {
  const { page, asked, problems } = await opened();
  const edited: Edits = await page.evaluate((asked) => window.edits(asked), asked);
  assert.deepEqual(edited, {
    statuses: ["DRAFT", "DRAFT", "CANCELED", "CANCELED"],
    repeated: true,
    conflict: "Ring twice",
  } satisfies Edits);
  assert.deepEqual(problems, []);
});

test("a test in Node, with the packed client, goes through mocks of the server", async () => {
  const walked = JSON.parse(await site.run("mocked.mjs"));
  assert.deepEqual(walked, { draft: "DRAFT", refused: "driver_busy", assigned: "ASSIGNED" });
});

test("a page in a browser, with the packed client, shows mocks: a list, and errors on demand", async () => {
  const opened = async () => {
    const page = await open("127.0.0.1", "mocked.html");
    await page.locator('body[data-mocked="true"]').waitFor({ state: "attached" });
    return page;
  };
  const page = await opened();
  const outside: string[] = [];
  page.on("requestfailed", (request) => outside.push(request.url()));
  await page.evaluate(() => window.mock.list(["1 Mission St", "2 Mission St"]));
  await page.evaluate(() => window.mock.refuseOnce());
  await page.evaluate(() => window.mock.show());
  await page.getByRole("heading", { name: "2 Mission St" }).waitFor();
  await eventually(async () => assert.equal(await page.getByRole("heading").count(), 2));
  await page.getByRole("button", { name: "Assign" }).first().click();
  await page.getByRole("alert").getByText("driver_busy").waitFor();
  await page.getByRole("button", { name: "Assign" }).first().click();
  await page.locator("output").getByText("ASSIGNED").waitFor();
  await eventually(async () => assert.equal(await page.getByRole("alert").textContent(), ""));
  assert.deepEqual(outside, []);

  const refused = await opened();
  await refused.evaluate(() => window.mock.refuseList());
  await refused.evaluate(() => window.mock.show());
  await refused.getByRole("alert").getByText("unauthenticated").waitFor();
});

test("a hook that tries a call shows its answer, and leaves the cache as it is", async () => {
  const driver = unwrap(await as("admin").drivers.create({ name: "Tried" }));
  const id = await submitted(as("staff"));
  const page = await open("127.0.0.1", "react.html");
  const { token } = userOf("dispatcher");
  await page.evaluate((shown) => window.board(shown), { url: server.url, token, driver: driver.id });
  await page.locator('main[data-state="open"]').waitFor();
  const shown = page.locator(`#p-${id}`);
  await shown.getByText("SUBMITTED").waitFor();
  await page.getByRole("heading", { name: "Tried" }).waitFor();
  const asked: string[] = [];
  page.on("request", (request) => request.method() !== "OPTIONS" && asked.push(new URL(request.url()).pathname));
  const seen: (string | null)[] = [];
  await page.exposeFunction("saw", (text: string | null) => void seen.push(text));
  await shown.locator("output").evaluate((output) => {
    const saw = (window as unknown as { saw: (text: string | null) => void }).saw;
    new MutationObserver(() => saw(output.textContent)).observe(output, { characterData: true, subtree: true });
  });
  await shown.getByRole("button", { name: "Try" }).click();
  await page.getByRole("status").getByText("ASSIGNED").waitFor();
  assert.equal(await shown.locator("output").textContent(), "SUBMITTED");
  // What the call itself makes of the cache is asked for behind the try.
  await shown.getByRole("button", { name: "Assign" }).click();
  await shown.getByText("ASSIGNED").waitFor();
  const assign = `/v1/pickups/${id}/assign`;
  await eventually(() => assert.deepEqual(asked.slice(0, 2), [assign, assign])); // it is shown before it is sent
  await eventually(() => assert.deepEqual([...new Set(seen)], ["ASSIGNED"]));
});

test("a page of an origin that is not allowed gets nothing", async () => {
  const page = await open("elsewhere.localhost");
  const outcome = await page.evaluate(
    (url) => fetch(`${url}/livez`).then((r) => r.status, (error: Error) => error.name),
    server.url,
  );
  assert.equal(outcome, "TypeError");
});

test("hooks show a call at once, take it back with its code when it is refused, and follow the stream", async () => {
  const [admin, staff] = [as("admin"), as("staff")];
  const free = unwrap(await admin.drivers.create({ name: "Free" }));
  const busy = unwrap(await admin.drivers.create({ name: "Busy" }));
  const [first, second, third] = [await submitted(staff), await submitted(staff), await submitted(staff)];
  unwrap(await as("dispatcher").pickups.assign(third, { driver_id: busy.id }));
  const status = (page: Page, id: string) => page.locator(`#p-${id} output`);
  const board = async (driver: string) => {
    const page = await open("127.0.0.1", "react.html");
    const { token } = userOf("dispatcher");
    await page.evaluate((shown) => window.board(shown), { url: server.url, token, driver });
    await page.locator('main[data-state="open"]').waitFor();
    return page;
  };
  const [mine, other] = [await board(busy.id), await board(free.id)];
  await mine.getByRole("heading", { name: "Busy" }).waitFor();

  // Refused: shown while the answer is out, and then as it is.
  let answer = () => {};
  const out = new Promise<void>((resolve) => (answer = resolve));
  await mine.route("**/assign", async (route) => {
    await out;
    await route.continue();
  });
  await mine.locator(`#p-${second}`).getByRole("button", { name: "Assign" }).click();
  await status(mine, second).getByText("ASSIGNED").waitFor();
  answer();
  await mine.getByRole("alert").getByText("driver_busy").waitFor();
  await status(mine, second).getByText("SUBMITTED").waitFor();

  // Taken: the other board shows it without a reload. The oldest pickup is on the second page.
  await mine.getByRole("button", { name: "More" }).click();
  await status(mine, first).getByText("SUBMITTED").waitFor();
  await other.locator(`#p-${second}`).getByRole("button", { name: "Assign" }).click();
  await status(other, second).getByText("ASSIGNED").waitFor();
  await status(mine, second).getByText("ASSIGNED").waitFor();
});

test("hooks read again what they show when the history of the stream has ended, and follow the new one", async () => {
  const driver = unwrap(await as("admin").drivers.create({ name: "Restarted" }));
  const id = await submitted(as("staff"));
  const page = await open("127.0.0.1", "react.html");
  let isRead = () => {};
  const reading = new Promise<void>((resolve) => (isRead = resolve));
  const asked: (string | undefined)[] = [];
  await page.route("**/v1/pickups/stream", async (route) => {
    asked.push(route.request().headers()["last-event-id"]);
    if (asked.length === 1) {
      // A connection to a database that was restored since: it tells a position, and ends.
      const headers = { "Access-Control-Allow-Origin": "*", "Content-Type": "text/event-stream" };
      return route.fulfill({ headers, body: "event: checkpoint\nid: 0123456789ab-1-2\ndata: {}\n\n" });
    }
    await reading;
    return route.continue();
  });
  const { token } = userOf("dispatcher");
  await page.evaluate((shown) => window.board(shown), { url: server.url, token, driver: driver.id });
  const status = page.locator(`#p-${id} output`);
  await status.getByText("SUBMITTED").waitFor();

  // Neither history tells of this: the former has ended, and the new one is followed from later on.
  unwrap(await as("dispatcher").pickups.assign(id, { driver_id: driver.id }));
  isRead();
  await status.getByText("ASSIGNED").waitFor();
  await page.locator('main[data-state="open"]').waitFor();
  unwrap(await as("dispatcher").pickups.cancel(id));
  await status.getByText("CANCELED").waitFor();
  const others = asked.filter((after, i) => i === 0 || after !== asked[i - 1]); // what is not answered is asked again
  assert.deepEqual(others, [undefined, "0123456789ab-1-2", undefined]);
});

test("the client is small", async () => {
  const bytes = await site.scripts();
  assert(bytes < 40_000, `a page with the client has ${bytes} bytes of scripts`);
});

test("a bundler leaves out of the client what a page does not use", async () => {
  const used = await site.alone();
  assert(used.includes("/livez"), "the page was not built");
  for (const unused of ["assign-pickup", "Last-Event-ID", "Idempotency-Key"]) {
    assert(!used.includes(unused), `a page that uses createClient alone has ${unused}`);
  }
  assert(used.length < 15_000, `it has ${used.length} characters`);
});

test("the package has what it exports, source maps with their sources, and the license", async () => {
  const { folder, files } = site.installed;
  const text = (path: string) => readFile(join(folder, path), "utf8");
  const { exports } = JSON.parse(await text("package.json"));
  for (const { types, default: script } of Object.values<{ types: string; default: string }>(exports)) {
    for (const path of [types, script]) assert(files.includes(normalize(path)), `${path} is not in the package`);
  }
  const scripts = files.filter((path) => path.endsWith(".js"));
  assert(scripts.length > 10, `only ${scripts}`);
  for (const script of scripts) {
    assert.match(await text(script), /\/\/# sourceMappingURL=\S+\.js\.map\n?$/);
    const { sources } = JSON.parse(await text(`${script}.map`));
    assert(sources.length > 0, `the map of ${script} has no source`);
    for (const source of sources) {
      const path = normalize(join(dirname(script), source));
      assert(files.includes(path), `${path}, the source of ${script}, is not in the package`);
    }
  }
  assert.equal(await text("LICENSE"), await readFile(join(import.meta.dirname, "../../../../LICENSE"), "utf8"));
});

test("the package's folder can be installed, which builds it", async () => {
  const printed = await site.link(`
    import { createWaybill } from "@waybill/client";
    import { verifyWebhook } from "@waybill/client/webhooks";
    const { pickups } = createWaybill({ baseUrl: "https://waybill.example" });
    console.log(typeof pickups.assign, typeof verifyWebhook);
  `);
  assert.equal(printed, "function function\n");
});
