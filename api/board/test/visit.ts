import assert from "node:assert/strict";

import { type Body, createWaybill, unwrap, type Waybill } from "../../ts/dist/src/index.js";
import { launch } from "../../ts/dist/test/browser.js";
import { type Server, start } from "../../ts/dist/test/server.js";
import { others, tell } from "../../ts/dist/test/tell.js";
import { type Canaries, plant } from "./canaries.js";
import { delayed, throttled } from "./slow.js";
import { eventually, follow, limit, settled } from "./wait.js";
import { type Watch, watch } from "./watch.js";

type Browser = Awaited<ReturnType<typeof launch>>;
type ContextOptions = Parameters<Browser["newContext"]>[0];
export type Page = Awaited<ReturnType<Browser["newPage"]>>;
export type Role = "admin" | "dispatcher" | "staff" | "hub" | "driver";

/** How a page is opened. measured: what would be measured with it is not observed. */
type Opening = ContextOptions & { url?: string; measured?: boolean };

/** The real server, a browser, and those who visit the board with it. */
export type Visit = {
  server: Server;
  canaries: Canaries;
  /** The client of a role, to prepare what a page shows and to see what it did. */
  as: (role: Role) => Waybill;
  /** Opens the board in a context of its own. */
  open: (options?: Opening) => Promise<Page>;
  /** Opens the board, and logs in by the form. */
  login: (role: Role, options?: Opening) => Promise<Page>;
  /** What the pages have had so far that they may not have: complaints says it again. */
  heard: () => Promise<string[]>;
  /**
   * Closes the pages, and returns what they have logged and thrown, asked of other origins, and got of what they may
   * not have; and what the server has logged of patients. See canaries.ts.
   */
  complaints: () => Promise<string[]>;
  close: () => Promise<void>;
};

/** Starts the server, with some settings, and the browser. */
export async function visit(settings: NodeJS.ProcessEnv = {}): Promise<Visit> {
  const log = logOf();
  others.push(log.warnings);
  const launching = launch();
  const started = await start({ WAYBILL_LOG_LEVEL: "debug", ...settings }, log.add).catch(async (error) => {
    await (await launching).close(); // else the tests' process would not end
    throw new Error(`${error.message}: ${log.last()}`);
  });
  const browser = await launching;
  const slow = await delayed(started.url);
  const server = { ...started, url: slow.url };
  const as = (role: Role) => createWaybill({ baseUrl: started.url, token: userOf(server, role).token });
  const end = async () => {
    await browser.close();
    slow.close();
    await server.stop();
  };
  const canaries = await plant(started, as).catch(async (error) => {
    await end();
    throw error;
  });
  const secrets = server.users.flatMap(({ password, token }) => [password, token]);
  let complaints: string[] = [];
  let watches: Watch[] = [];
  const openAs = async (
    role: Role | undefined,
    { url = server.url, measured = false, ...options }: Opening = {},
  ) => {
    const page = await (await browser.newContext(options)).newPage();
    page.setDefaultTimeout(limit);
    tell(page, role ?? "somebody");
    follow(page);
    await page.addInitScript(keepNotices);
    // As where the server is reached without TLS under another name than localhost.
    await page.addInitScript("delete Crypto.prototype.randomUUID");
    const watched = await watch(page, canaries, role, measured);
    if (!measured) await throttled(page);
    watches.push(watched);
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
    return { page, watched };
  };
  const heard = async () => {
    for (const { search } of watches) complaints.push(...(await search()));
    return complaints;
  };
  return {
    server,
    canaries,
    heard,
    as,
    open: async (options) => (await openAs(undefined, options)).page,
    login: async (role, options) => {
      const { page, watched } = await openAs(role, options);
      await logIn(page, server.tenant, userOf(server, role));
      await live(page).waitFor();
      await watched.streamed();
      await canaries.stir();
      await settled(page);
      return page;
    },
    complaints: async () => {
      await heard();
      for (const context of browser.contexts()) {
        // What a route still has in hand would fail with its page, and be nobody's failure.
        for (const page of context.pages()) await page.unrouteAll({ behavior: "ignoreErrors" });
        await context.close();
      }
      complaints.push(...log.search([...canaries.patients, ...secrets]));
      const found = complaints;
      [complaints, watches] = [[], []];
      return found;
    },
    close: async () => {
      await end();
      const found = log.search([...canaries.patients, ...secrets]);
      assert.deepEqual(found, []);
      assert.ok(log.requests() > 10, "the server's log has no requests");
    },
  };
}

/** Runs in the page: a notice goes by itself after some seconds, on a busy machine before a test has looked. */
function keepNotices(): void {
  const { setTimeout } = window;
  window.setTimeout = ((run: () => void, ms?: number, ...args: unknown[]) =>
    setTimeout(run, ms === 4_000 || ms === 12_000 ? 60_000 : ms, ...args)) as typeof window.setTimeout;
}

const isWarning = (line: string) => /level=(WARN|ERROR)/.test(line);

/** Keeps what the server logs. Warnings and errors go to the tests' own output, too. */
function logOf() {
  let text = "";
  let begun = 0; // the first line that was not searched
  return {
    add: (more: string) => {
      text += more;
      for (const line of more.split("\n")) if (isWarning(line)) process.stderr.write(`${line}\n`);
    },
    last: () => text.slice(-2_000),
    warnings: () =>
      text
        .split("\n")
        .filter(isWarning)
        .slice(-8)
        .map((line) => `the server logged: ${line}`),
    requests: () => text.split("msg=request ").length - 1,
    search: (words: string[]) => {
      const end = text.lastIndexOf("\n") + 1;
      const part = text.slice(begun, end);
      begun = end;
      return words.filter((word) => part.includes(word)).map((word) => `the server logs: ${word}`);
    },
  };
}

/** Logs in by the form. */
export async function logIn(page: Page, tenant: string, user: { email: string; password: string }): Promise<void> {
  await page.getByLabel("Organisation").fill(tenant);
  await page.getByLabel("Email").fill(user.email);
  await page.getByLabel("Password").fill(user.password);
  await page.getByRole("button", { name: "Log in" }).click();
}

export function userOf(server: Server, role: Role) {
  const user = server.users.find((u) => u.role === role);
  assert(user);
  return user;
}

/**
 * Chooses in a field, by default the first option. Its list closes when the page below it moves, as where an answer
 * comes late: it is opened again.
 */
export async function choose(page: Page, field: RegExp, name?: string | RegExp): Promise<void> {
  const option = page.getByRole("option", name === undefined ? {} : { name, exact: true }).first();
  await eventually(async () => {
    if (!(await page.getByRole("listbox").first().isVisible()))
      await page.getByRole("button", { name: field }).click();
    await option.click({ timeout: 10_000 });
  });
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

/**
 * Presses what is in a list that scrolls, once the list knows that it was scrolled. Playwright scrolls and presses
 * within one frame; the list, which then gets the focus, would go back to where it knows to be, under the pointer.
 */
export async function press(target: ReturnType<Page["locator"]>): Promise<void> {
  await target.scrollIntoViewIfNeeded();
  await target.page().evaluate(() => new Promise((told) => requestAnimationFrame(told))); // behind the scroll events
  await target.click();
}

/** The card of a pickup in a column, by a word of its address. */
export function card(page: Page, status: string, word: string) {
  return page.locator(`[data-status="${status}"]`).getByRole("row").filter({ hasText: word });
}
