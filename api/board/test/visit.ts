import assert from "node:assert/strict";

import { type Body, createWaybill, unwrap, type Waybill } from "../../ts/dist/src/index.js";
import { launch } from "../../ts/dist/test/browser.js";
import { type Server, start } from "../../ts/dist/test/server.js";

type Browser = Awaited<ReturnType<typeof launch>>;
type ContextOptions = Parameters<Browser["newContext"]>[0];
export type Page = Awaited<ReturnType<Browser["newPage"]>>;
export type Role = "admin" | "dispatcher" | "staff" | "hub" | "driver";

/** The real server, a browser, and those who visit the board with it. */
export type Visit = {
  server: Server;
  /** The client of a role, to prepare what a page shows and to see what it did. */
  as: (role: Role) => Waybill;
  /** Opens the board in a context of its own. */
  open: (options?: ContextOptions & { url?: string }) => Promise<Page>;
  /** Opens the board, and logs in by the form. */
  login: (role: Role, options?: ContextOptions & { url?: string }) => Promise<Page>;
  /** What pages have logged and thrown, and asked of other origins, since it was last read. */
  complaints: () => string[];
  close: () => Promise<void>;
};

/** Starts the server, with some settings, and the browser. */
export async function visit(settings: NodeJS.ProcessEnv = {}): Promise<Visit> {
  const [server, browser] = await Promise.all([start(settings), launch()]);
  let complaints: string[] = [];
  const open: Visit["open"] = async ({ url = server.url, ...options } = {}) => {
    const page = await (await browser.newContext(options)).newPage();
    page.setDefaultTimeout(60_000);
    // As where the server is reached without TLS under another name than localhost.
    await page.addInitScript("delete Crypto.prototype.randomUUID");
    page.on("console", (message) => {
      const failed = message.text().startsWith("Failed to load resource"); // each answer of 400 and more, each cut
      if (["error", "warning"].includes(message.type()) && !failed) complaints.push(`logs: ${message.text()}`);
    });
    page.on("pageerror", (error) => complaints.push(`throws: ${error.message}`));
    page.on("request", (request) => {
      const { protocol } = new URL(request.url());
      if (!request.url().startsWith(url) && protocol !== "blob:") complaints.push(`asks ${request.url()}`);
    });
    await page.goto(url);
    return page;
  };
  return {
    server,
    as: (role) => createWaybill({ baseUrl: server.url, token: userOf(server, role).token }),
    open,
    login: async (role, options) => {
      const page = await open(options);
      const { email, password } = userOf(server, role);
      await page.getByLabel("Organisation").fill(server.tenant);
      await page.getByLabel("Email").fill(email);
      await page.getByLabel("Password").fill(password);
      await page.getByRole("button", { name: "Log in" }).click();
      await live(page).waitFor();
      return page;
    },
    complaints: () => {
      const found = complaints;
      complaints = [];
      return found;
    },
    close: async () => {
      await browser.close();
      await server.stop();
    },
  };
}

export function userOf(server: Server, role: Role) {
  const user = server.users.find((u) => u.role === role);
  assert(user);
  return user;
}

export function live(page: Page) {
  return page.getByText("Live", { exact: true });
}

/** What a pickup of the demo tenant needs. */
export async function order(
  visit: Visit,
  change: Partial<Body<"create-pickup">> = {},
): Promise<Body<"create-pickup">> {
  const [facility] = unwrap(await visit.as("staff").facilities.list().page()).items;
  const [account] = unwrap(await visit.as("admin").accounts.list().page()).items;
  assert(facility && account);
  return {
    facility_id: facility.id,
    account_id: account.id,
    price_cents: 100,
    pickup_address: "2401 Mission St",
    dropoff_address: "1 Lab Way",
    ...change,
  };
}

/** Creates a pickup, submits it, and returns its id. */
export async function submitted(visit: Visit, change: Partial<Body<"create-pickup">> = {}): Promise<string> {
  const { id } = unwrap(await visit.as("staff").pickups.create(await order(visit, change)));
  unwrap(await visit.as("staff").pickups.submit(id));
  return id;
}

/** Creates many pickups, submits them, and returns their ids. */
export async function many(
  visit: Visit,
  count: number,
  change: Partial<Body<"create-pickup">> = {},
): Promise<string[]> {
  const staff = visit.as("staff");
  const ids: string[] = [];
  const [perCreate, perBatch] = [1_000, 50]; // as many as one request may have
  const all = await order(visit, { price_cents: 1 });
  for (let i = 0; i < count; i += perCreate) {
    const items = Array.from({ length: Math.min(perCreate, count - i) }, (_, n) => ({
      ...all,
      pickup_address: `${i + n + 1} Crowded St`,
      ...change,
    }));
    ids.push(...unwrap(await staff.pickups.createMany({ items })).items.map(({ id }) => id));
  }
  for (let i = 0; i < count; i += perBatch) {
    const submits = ids.slice(i, i + perBatch).map((id) => staff.batch.item("submit-pickup", id));
    assert.ok((await staff.batch(submits)).ok);
  }
  return ids;
}

/** Creates a driver on duty, and returns the id. */
export async function driver(visit: Visit, name: string): Promise<string> {
  const at = { latitude: 37.76, longitude: -122.42 };
  return unwrap(await visit.as("admin").drivers.create({ name, on_duty: true, ...at })).id;
}

/** The card of a pickup in a column, by a word of its address. */
export function card(page: Page, status: string, word: string) {
  return page.locator(`[data-status="${status}"]`).getByRole("row").filter({ hasText: word });
}
