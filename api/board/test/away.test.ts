import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";

import { unwrap } from "../../ts/dist/src/index.js";
import { type Killable, serveKillable } from "./killable.js";
import { card, driver, live, type Page, press, submitted, visit, type Visit } from "./visit.js";
import { settled } from "./wait.js";

let v: Visit;
let other: Killable;

before(async () => {
  v = await visit();
  other = await serveKillable(v.server.database_url);
});

after(async () => {
  await other?.close();
  await v?.close();
});

afterEach(async () => assert.deepEqual(await v.complaints(), []));

const steps = async (id: string) =>
  unwrap(await v.as("admin").pickups.listEvents(id).page()).items.map(({ transition }) => transition);

/** Lets the server do what a page asks, and loses each answer. Returns the keys that were sent. */
async function loseAnswers(page: Page, path: string): Promise<Set<string | undefined>> {
  const keys = new Set<string | undefined>();
  await page.route(path, async (route) => {
    keys.add(route.request().headers()["idempotency-key"]);
    await route.fetch();
    await route.abort().catch(() => {}); // the page may have given up by then
  });
  return keys;
}

test("the server is killed: the page says since when, and goes on where it was when it is back", async () => {
  const page = await v.login("dispatcher", { url: other.url });
  const id = await submitted(v, { pickup_address: "9 Killed St" });
  await driver(v, "Survivor");
  await press(card(page, "SUBMITTED", "9 Killed"));
  await page.getByRole("button", { name: "Assign to Survivor" }).waitFor();
  await other.kill();
  const banner = page.getByRole("alert").filter({ hasText: "No connection to the server since" });
  await banner.getByText(/What you see is as of \d\d:\d\d:\d\d\./).waitFor();
  // What is done now is shown as it will be, and as what is not done yet.
  await press(page.getByRole("button", { name: "Assign to Survivor" }));
  await card(page, "ASSIGNED", "9 Killed").getByText("being sent").waitFor();
  await page
    .getByRole("region", { name: "Not done yet" })
    .getByText(/^Assign .*waits for the server since/)
    .waitFor();
  // What others do is not seen.
  await submitted(v, { pickup_address: "10 Meanwhile St" });
  assert.equal(unwrap(await v.as("admin").pickups.get(id)).status, "SUBMITTED");
  await other.start();
  await live(page).waitFor();
  await card(page, "SUBMITTED", "10 Meanwhile").waitFor();
  await card(page, "ASSIGNED", "9 Killed").getByText("Survivor").waitFor();
  await banner.waitFor({ state: "detached" });
  await page.getByRole("region", { name: "Not done yet" }).waitFor({ state: "detached" });
  await card(page, "ASSIGNED", "9 Killed").getByText("being sent").waitFor({ state: "detached" });
  await settled(page);
  assert.deepEqual((await steps(id)).sort(), ["assign", "submit"]);
  assert.equal(await page.locator(".notice.refused").count(), 0);
});

test("a change whose answer was lost is told, and sent again it is done once", async () => {
  const page = await v.login("dispatcher");
  await page.clock.install();
  await driver(v, "Again");
  const id = await submitted(v, { pickup_address: "11 Unanswered St" });
  await press(card(page, "SUBMITTED", "11 Unanswered"));
  const keys = await loseAnswers(page, "**/assign");
  const lost = page.waitForEvent("requestfailed", (request) => request.url().endsWith("/assign"));
  await press(page.getByRole("button", { name: "Assign to Again" }));
  await card(page, "ASSIGNED", "11 Unanswered").waitFor();
  await lost; // it is tried from now on for so long
  await page.clock.fastForward(200_000);
  const unanswered = page.getByRole("region", { name: "Not done yet" }).getByRole("listitem");
  await unanswered.getByText("was not answered").waitFor();
  await page.unroute("**/assign");
  page.on("request", (request) => {
    if (request.url().endsWith("/assign")) keys.add(request.headers()["idempotency-key"]);
  });
  await unanswered.getByRole("button", { name: "Send again", exact: true }).click();
  await unanswered.waitFor({ state: "detached" });
  await card(page, "ASSIGNED", "11 Unanswered").getByText("Again").waitFor();
  await settled(page);
  assert.equal(keys.size, 1, "the key of the intent changed");
  assert.deepEqual((await steps(id)).sort(), ["assign", "submit"]);
  assert.equal(await page.locator(".notice.refused").count(), 0);
});

test("a pickup whose step at the hub was not answered does not take the next one when scanned again", async () => {
  const id = await submitted(v, { pickup_address: "12 Scanned St" });
  const { driver_id = "" } = unwrap(await v.as("driver").sessions.get());
  unwrap(await v.as("dispatcher").pickups.assign(id, { driver_id }));
  unwrap(await v.as("driver").pickups.collect(id));
  const page = await v.login("hub");
  await page.clock.install();
  const scan = async () => {
    await page.getByLabel("Scan or type an id").fill(id);
    await page.keyboard.press("Enter");
  };
  await loseAnswers(page, "**/receive");
  const lost = page.waitForEvent("requestfailed", (request) => request.url().endsWith("/receive"));
  await scan();
  await lost;
  await page.clock.fastForward(60_000);
  await page.locator(".outcome.refused").waitFor();
  await page.unroute("**/receive");
  await scan();
  await page.getByRole("alert").getByText("Received").waitFor();
  assert.equal(unwrap(await v.as("admin").pickups.get(id)).status, "RECEIVED");
  await scan();
  await page.getByRole("alert").getByText("Packed").waitFor();
});

test("a refused step is told although its button is gone by then", async () => {
  const id = await submitted(v, { pickup_address: "13 Overtaken St" });
  const driver_id = await driver(v, "Overtaken");
  unwrap(await v.as("dispatcher").pickups.assign(id, { driver_id }));
  const page = await v.login("dispatcher");
  await press(card(page, "ASSIGNED", "13 Overtaken"));
  await page.route("**/release", async (route) => {
    unwrap(await v.as("dispatcher").pickups.collect(id));
    await route.continue();
  });
  await page.getByRole("button", { name: "Release driver" }).click();
  await page.locator(".notice.refused").getByText("It is collected now").waitFor();
  await card(page, "COLLECTED", "13 Overtaken").waitFor();
});
