import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import type { Browser, Page } from "playwright-core";

import { createWaybill, unwrap } from "../src/index.js";
import { launch, serveSite, type Site } from "./browser.js";
import type { Walk } from "./page/walk.js";
import { type Server, start } from "./server.js";

let server: Server;
let site: Site;
let browser: Browser;

before(async () => {
  [server, site, browser] = await Promise.all([start(), serveSite(), launch()]);
});

after(async () => {
  await browser?.close();
  await site?.close();
  await server?.stop();
});

/** Opens the page under a host name, which is part of its origin. */
async function open(host: string): Promise<Page> {
  const page = await browser.newPage();
  await page.goto(`http://${host}:${site.port}/`);
  return page;
}

function userOf(role: string) {
  const user = server.users.find((u) => u.role === role);
  assert(user);
  return user;
}

test("a page of another origin, built with the packed client, walks a pickup through its life", async () => {
  const page = await open("127.0.0.1");
  const problems: string[] = [];
  page.on("pageerror", (error) => problems.push(error.message));
  const admin = createWaybill({ baseUrl: server.url, token: userOf("admin").token });
  const [facility] = unwrap(await admin.facilities.list().page()).items;
  const [account] = unwrap(await admin.accounts.list().page()).items;
  assert(facility && account);
  const { email, password } = userOf("staff");
  const asked = {
    url: server.url,
    login: { tenant: server.tenant, email, password },
    order: {
      facility_id: facility.id,
      account_id: account.id,
      price_cents: 3000,
      pickup_address: "2401 Mission St",
      dropoff_address: "1 Lab Way",
    },
  };
  const walked: Walk = await page.evaluate((asked) => window.walk(asked), asked);
  assert.deepEqual(walked, {
    statuses: ["DRAFT", "DRAFT", "SUBMITTED", "CANCELED", "CANCELED"],
    told: ["submit", "cancel"],
    repeated: true,
    conflict: "Ring twice",
    refused: "illegal_transition",
  } satisfies Walk);
  assert.deepEqual(problems, []);
});

test("a page of an origin that is not allowed gets nothing", async () => {
  const page = await open("elsewhere.localhost");
  const outcome = await page.evaluate(
    (url) => fetch(`${url}/livez`).then((r) => r.status, (error: Error) => error.name),
    server.url,
  );
  assert.equal(outcome, "TypeError");
});

test("the client is small", async () => {
  const bytes = await site.scripts();
  assert(bytes < 40_000, `a page with the client has ${bytes} bytes of scripts`);
});
