import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";

import { unwrap } from "../../ts/dist/src/index.js";
import { type Proxy, proxyTo } from "./proxy.js";
import { card, driver, live, logIn, type Page, press, submitted, visit, type Visit } from "./visit.js";
import { eventually, settled } from "./wait.js";

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

afterEach(async () => {
  proxy.up();
  assert.deepEqual(await v.complaints(), []);
});

/** Creates a dispatcher, and returns how they log in. */
async function colleague(name: string) {
  const user = { name, email: `${name.toLowerCase()}@demo.example`, password: "waybill-demo" };
  const { id } = unwrap(await v.as("admin").users.create({ ...user, role: "dispatcher" }));
  return { ...user, id };
}

const stored = (page: Page) => page.evaluate(() => JSON.stringify({ ...sessionStorage, ...localStorage }));

/** Has a change wait: the page is cut off, and a pickup is assigned. */
async function assignWhileAway(page: Page, word: string, name: string): Promise<void> {
  await press(card(page, "SUBMITTED", word));
  const assign = page.getByRole("button", { name: `Assign to ${name}` });
  await assign.waitFor();
  proxy.down();
  await page.getByText("No connection to the server since").waitFor();
  await assign.click();
  await card(page, "ASSIGNED", word).getByText("being sent").waitFor();
}

const stepsOf = async (id: string) =>
  unwrap(await v.as("admin").pickups.listEvents(id).page()).items.map(({ transition }) => transition);

async function changePassword(page: Page, current: string, next: string): Promise<void> {
  await page.getByLabel("Current password").fill(current);
  await page.getByLabel("New password").fill(next);
  await page.getByRole("button", { name: "Change the password" }).click();
}

test("a changed password is told as that; the new one logs in, and the old one is refused", async () => {
  const user = await colleague("Changing");
  const page = await v.open();
  await logIn(page, v.server.tenant, user);
  await live(page).waitFor();
  await page.getByRole("link", { name: user.name }).click();
  await changePassword(page, "not-the-password", "a-new-password");
  await page
    .getByRole("alert")
    .getByText(/password/i)
    .waitFor();
  await changePassword(page, user.password, "a-new-password");
  await page.getByText("The password is changed, and all sessions have ended.").waitFor();
  await settled(page);
  assert.equal(await page.getByText("Your session has ended").count(), 0);
  await logIn(page, v.server.tenant, user);
  await page.getByRole("alert").waitFor();
  await page.getByText("The password is changed").waitFor({ state: "detached" });
  await logIn(page, v.server.tenant, { ...user, password: "a-new-password" });
  await live(page).waitFor();
});

test("a changed password is told as that, also where its answer comes after the session is refused", async () => {
  const user = await colleague("Late");
  const page = await v.open();
  await logIn(page, v.server.tenant, user);
  await live(page).waitFor();
  await page.getByRole("link", { name: user.name }).click();
  const refused = page.waitForResponse((response) => response.status() === 401);
  await page.route("**/password", async (route) => {
    const response = await route.fetch();
    await refused;
    await page.waitForTimeout(1_000); // in which the page is not left
    await route.fulfill({ response });
  });
  await changePassword(page, user.password, "a-new-password");
  await page.getByText("The password is changed, and all sessions have ended.").waitFor();
});

test("a changed password ends the session on the other page, which does not say that its user changed it", async () => {
  const user = await colleague("Elsewhere");
  const [page, other] = [await v.open(), await v.open()];
  for (const each of [page, other]) {
    await logIn(each, v.server.tenant, user);
    await live(each).waitFor();
  }
  await page.getByRole("link", { name: user.name }).click();
  await changePassword(page, user.password, "another-password");
  await page.getByText("The password is changed").waitFor();
  await submitted(v, { pickup_address: "1 Elsewhere St" }); // lists are read again
  await other.getByText("Your session has ended").waitFor();
});

test("a logout leaves the page at once while the server is away, and the server is told when it is back", async () => {
  const page = await v.login("hub", { url: proxy.url });
  const token = JSON.parse(JSON.parse(await stored(page))["waybill.session"]).token as string;
  const known = async () => {
    const answer = await fetch(`${v.server.url}/v1/session`, { headers: { Authorization: `Bearer ${token}` } });
    return answer.status;
  };
  proxy.down();
  await page.getByText("No connection to the server since").waitFor();
  // Nothing that takes time comes between: what the click leaves is read in the same task as React renders it.
  await page.getByRole("button", { name: "Log out" }).click();
  await page.getByText("You are logged out.").waitFor();
  assert.equal(await stored(page), "{}");
  assert.equal(await known(), 200);
  proxy.up();
  await eventually(async () => assert.equal(await known(), 401, "the server was not told of the logout"));
});

test("a logout asks while a change is not sent; the login tells it, and the next user does not send it", async () => {
  const id = await submitted(v, { pickup_address: "1 Unsent St" });
  await driver(v, "Unsent");
  const page = await v.login("dispatcher", { url: proxy.url });
  await assignWhileAway(page, "1 Unsent", "Unsent");
  await page.getByRole("button", { name: "Log out" }).click();
  const ask = page.getByRole("alertdialog");
  await ask.getByText("1 change is not known to be done").waitFor();
  await ask.getByRole("button", { name: "Stay" }).click();
  await ask.waitFor({ state: "detached" });
  await card(page, "ASSIGNED", "1 Unsent").getByText("being sent").waitFor();
  await page.getByRole("button", { name: "Log out" }).click();
  await ask.getByRole("button", { name: "Log out" }).click();
  await page.getByText("1 change had no answer when the session ended").waitFor();
  await page
    .getByRole("listitem")
    .getByText(`Assign ${id.slice(-6).toUpperCase()}`)
    .waitFor();
  proxy.up();
  const user = await colleague("Next");
  await logIn(page, v.server.tenant, user);
  await card(page, "SUBMITTED", "1 Unsent").waitFor();
  await page.waitForTimeout(6_000); // longer than the longest pause between tries
  assert.deepEqual(await stepsOf(id), ["submit"]);
});

test("a session that ends while a change is not sent says so at the login", async () => {
  const id = await submitted(v, { pickup_address: "2 Unsent St" });
  await driver(v, "Gone");
  const user = await colleague("Expiring");
  const page = await v.open({ url: proxy.url });
  await logIn(page, v.server.tenant, user);
  await assignWhileAway(page, "2 Unsent", "Gone");
  unwrap(await v.as("admin").users.deactivate(user.id));
  proxy.up();
  await page.getByText("Your session has ended").waitFor();
  await page.getByText("1 change had no answer when the session ended").waitFor();
  assert.deepEqual(await stepsOf(id), ["submit"]);
});

test("a session that is revoked ends on each of the user's open pages, which forget what they showed", async () => {
  const user = await colleague("Leaving");
  await submitted(v, { pickup_address: "1 Revoked Rd" });
  const pages = [await v.open(), await v.open(), await v.open()];
  for (const page of pages) {
    await logIn(page, v.server.tenant, user);
    await card(page, "SUBMITTED", "1 Revoked").waitFor();
  }
  await pages[2]!.getByRole("link", { name: user.name }).click(); // one that shows no list
  unwrap(await v.as("admin").users.deactivate(user.id));
  await submitted(v, { pickup_address: "2 Revoked Rd" }); // lists are read again
  for (const page of pages) {
    await page.getByText("Your session has ended").waitFor();
    await page.getByText("Revoked Rd").first().waitFor({ state: "detached" });
    await eventually(async () => assert.equal(await stored(page), "{}"));
  }
});
