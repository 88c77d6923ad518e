import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { after, afterEach, before, test } from "node:test";

import type { Browser, BrowserContextOptions, Page } from "playwright-core";

import { launch } from "./browser.js";
import { type Server, start } from "./server.js";
import { tell } from "./tell.js";
import { eventually, limit } from "./wait.js";

let server: Server;
let browser: Browser;
let axe: string;

before(async () => {
  [server, browser] = await Promise.all([start(), launch()]);
  axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

const phone: BrowserContextOptions = { viewport: { width: 390, height: 844 }, colorScheme: "dark", hasTouch: true };

/** What pages have logged and thrown, and asked of other origins. */
let complaints: string[] = [];

afterEach(() => {
  const found = complaints;
  complaints = [];
  assert.deepEqual(found, []);
});

/** Opens a page of the documentation. */
async function open(path: string, options: BrowserContextOptions = {}): Promise<Page> {
  const context = await browser.newContext({ permissions: ["clipboard-read", "clipboard-write"], ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(limit);
  tell(page, "a reader");
  page.on("console", (message) => {
    // Chromium logs each answer of 400 and more.
    if (!message.text().startsWith("Failed to load resource")) complaints.push(`${path} logs: ${message.text()}`);
  });
  page.on("pageerror", (error) => complaints.push(`${path} throws: ${error.message}`));
  page.on("request", (request) => {
    if (!request.url().startsWith(server.url)) complaints.push(`${path} asks ${request.url()}`);
  });
  await page.goto(server.url + path);
  return page;
}

async function signIn(page: Page, role = "staff"): Promise<void> {
  const user = server.users.find((u) => u.role === role);
  assert(user);
  await page.getByRole("button", { name: "Sign in" }).first().click();
  await page.getByLabel("Tenant").fill(server.tenant);
  await page.getByLabel("Email").fill(user.email);
  await page.getByLabel("Password").fill(user.password);
  await page.getByRole("dialog").getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("button", { name: `Sign out ${user.email}` }).waitFor();
}

/** Sends what the form of the page asks for, and returns the status and the body of the answer. */
async function send(page: Page): Promise<{ outcome: string; body: string }> {
  await page.getByRole("button", { name: "Send" }).click();
  await page.locator(".outcome.good, .outcome.bad").waitFor();
  await page.getByRole("button", { name: "Stop" }).waitFor({ state: "hidden" }); // the body comes behind the status
  return {
    outcome: await page.locator(".outcome").innerText(),
    body: await page.locator(".answer code").innerText(),
  };
}

const pages = {
  desktop: ["/docs/", "/docs/guide", "/docs/errors", "/docs/operations/edit-pickup", "/docs/operations/send-text"],
  phone: ["/docs/", "/docs/pickups", "/errors/illegal_transition", "/docs/operations/create-pickup"],
};

for (const [name, options] of [["desktop", {}], ["phone", phone]] as const)
  test(`the pages are accessible, load only from the server, and violate no policy: ${name}`, async () => {
    for (const path of pages[name]) {
      const page = await open(path, options);
      await page.evaluate(() => document.querySelectorAll("details").forEach((d) => (d.open = true)));
      await page.evaluate(axe.replace(/;?\s*$/, "; undefined"));
      const violations = await page.evaluate(async () => {
        const { violations } = await (window as unknown as { axe: typeof import("axe-core") }).axe.run();
        return violations.map((v) => `${v.impact} ${v.id}: ${v.nodes.map((n) => n.html.slice(0, 200)).join(" | ")}`);
      });
      assert.deepEqual(violations, [], path);
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert(overflow <= 0, `${path} is ${overflow} px too wide`);
      await page.context().close();
    }
  });

test("a reader signs in, tries an operation, and signs out", async () => {
  const page = await open("/docs/operations/get-session");
  await page.getByText("Try it", { exact: true }).click();
  await signIn(page);
  const session = await send(page);
  assert.match(session.outcome, /^200 OK/);
  assert.equal(JSON.parse(session.body).user.role, "staff");

  // The token is there on the next page, and an id is carried over to it.
  await page.goto(`${server.url}/docs/operations/create-pickup`);
  await page.getByText("Try it", { exact: true }).click();
  const created = await send(page);
  assert.match(created.outcome, /^201 Created/);
  const { id } = JSON.parse(created.body);
  await page.goto(`${server.url}/docs/operations/edit-pickup`);
  await page.getByText("Try it", { exact: true }).click();
  await eventually(async () => assert.equal(await page.getByLabel("pickup_id").inputValue(), id));
  const edited = await send(page); // with the ETag of what was created
  assert.match(edited.outcome, /^200 OK/);

  const stale = await send(page);
  assert.match(stale.outcome, /^412 Precondition Failed.*stale_version/);
  await page.getByRole("status").getByRole("link", { name: "stale_version" }).click();
  await page.waitForURL(`${server.url}/errors/stale_version`);

  await page.getByRole("button", { name: /^Sign out/ }).click();
  await page.getByRole("button", { name: "Sign in" }).waitFor();
  await page.goto(`${server.url}/docs/operations/get-session`);
  await page.getByText("Try it", { exact: true }).click();
  await page.getByRole("button", { name: "Send" }).click();
  await page.getByRole("dialog").waitFor(); // it asks who is there
  await page.context().close();
});

test("a login that is refused says why", async () => {
  const page = await open("/docs/");
  await page.getByRole("button", { name: "Sign in" }).first().click();
  await page.getByLabel("Tenant").fill(server.tenant);
  await page.getByLabel("Email").fill("nobody@demo.example");
  await page.getByLabel("Password").fill("wrong");
  await page.getByRole("dialog").getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("alert").getByText(/\w/).waitFor();
  assert.equal(await page.evaluate(() => sessionStorage.getItem("session")), null);
  await page.context().close();
});

test("the stream is shown as it comes, and stops", async () => {
  const page = await open("/docs/operations/stream-pickups");
  await signIn(page);
  await page.getByText("Try it", { exact: true }).click();
  await page.getByRole("button", { name: "Send" }).click();
  await page.locator(".answer code").getByText("event: checkpoint").waitFor();
  await page.getByRole("button", { name: "Stop" }).click();
  await page.getByRole("button", { name: "Stop" }).waitFor({ state: "hidden" });
  await page.context().close();
});

test("the search finds operations, errors and guides, by the keyboard alone", async () => {
  const page = await open("/docs/");
  for (const [asked, found] of [
    ["assign", "/docs/operations/assign-pickup"],
    ["list-patient-reads", "/docs/operations/list-patient-reads"],
    ["driver busy", "/errors/driver_busy"],
    ["retries", "/docs/guide#retries"],
  ] as const) {
    await page.keyboard.press("/");
    await page.keyboard.type(asked);
    await page.locator(`.hits li:first-child a[href="${found}"]`).waitFor();
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Enter");
    await page.waitForURL(server.url + found);
  }
  await page.getByLabel("Search the documentation").fill("teleport");
  await page.getByText("Nothing was found.").waitFor();
  await page.context().close();
});

test("the samples can be chosen and copied, and the choice is kept", async () => {
  const page = await open("/docs/operations/submit-pickup");
  await page.getByRole("tab", { name: "TypeScript" }).click();
  await page.goto(`${server.url}/docs/operations/assign-pickup`);
  const panel = page.getByRole("tabpanel", { name: "TypeScript" });
  await panel.hover();
  await panel.getByRole("button", { name: "Copy" }).click();
  await eventually(async () => {
    const copied = await page.evaluate(() => navigator.clipboard.readText());
    assert.match(copied, /waybill\.pickups\.assign\("/);
    assert(copied.includes(server.url));
  });
  await page.context().close();
});

test("on a phone the menu opens and closes", async () => {
  const page = await open("/docs/guide", phone);
  const link = page.getByRole("link", { name: "Errors", exact: true });
  assert.equal(await link.isVisible(), false);
  await page.getByRole("button", { name: "Menu" }).click();
  await link.click();
  await page.waitForURL(`${server.url}/docs/errors`);
  await page.context().close();
});

test("without scripts everything can be read", async () => {
  const page = await open("/docs/operations/assign-pickup", { javaScriptEnabled: false });
  for (const text of ["driver_busy", "waybill.pickups.assign", "curl"])
    assert(await page.getByText(text).first().isVisible(), text);
  assert.equal(await page.getByText("Try it", { exact: true }).isVisible(), false);
  await page.context().close();
});
