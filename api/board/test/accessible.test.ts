import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { after, before, beforeEach, test } from "node:test";

import { unwrap } from "../../ts/dist/src/index.js";
import { receiver } from "./admin.js";
import { type Proxy, proxyTo } from "./proxy.js";
import { card, logIn, type Page, press, type Role, submitted, userOf, visit, type Visit } from "./visit.js";
import { settled } from "./wait.js";
import { administration, work } from "./work.js";

let v: Visit;
let hook: Awaited<ReturnType<typeof receiver>>;
let proxy: Proxy;
let axe: string;
const ids: Record<string, string> = {};

before(async () => {
  [v, hook] = await Promise.all([visit(), receiver()]);
  proxy = await proxyTo(v.server.url);
  const ts = createRequire(new URL("../../ts/package.json", import.meta.url));
  axe = await readFile(ts.resolve("axe-core/axe.min.js"), "utf8");
  const { waiting, collected, assigned } = await work(v);
  Object.assign(ids, await administration(v, hook.url), { waiting: waiting[0], collected, assigned });
  const { users, patients, accounts } = v.as("dispatcher");
  const [dispatcher] = unwrap(await users.list({ role: "dispatcher" }).page()).items;
  const [patient] = unwrap(await patients.list().page()).items;
  const [account] = unwrap(await accounts.list().page()).items;
  Object.assign(ids, { dispatcher: dispatcher!.id, patient: patient!.id, account: account!.id });
});

after(async () => {
  hook?.close();
  proxy?.close();
  await v?.close();
});

type Found = { id: string; nodes: { html: string }[] };

/** What was found in the pages of a test: all of them are looked at before it fails. */
let failures: string[] = [];

beforeEach(() => {
  failures = [];
});

/** The rules of axe that look at colours, of those that it has a page held to. */
const ofColours = { type: "rule", values: ["color-contrast", "link-in-text-block"] };

/**
 * Notes each rule of axe that the page breaks, and in the dark each of colours, which alone are others there; and if
 * it is wider than the window. What the component library announces is left out: it goes on naming a button for some
 * seconds after that is gone.
 */
async function check(page: Page, what: string, without: string[] = []): Promise<void> {
  const rules = Object.fromEntries(without.map((rule) => [rule, { enabled: false }]));
  if (!(await page.evaluate("'axe' in window"))) await page.evaluate(axe);
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme });
    await page.evaluate(appeared);
    const options = JSON.stringify({ rules, ...(colorScheme === "dark" && { runOnly: ofColours }) });
    const found: Found[] = await page
      .evaluate(`axe.run({ exclude: [['[data-live-announcer]']] }, ${options})`)
      .then((result) => (result as { violations: Found[] }).violations);
    const told = found.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 160)).join(" | ")}`);
    failures.push(...told.map((one) => `${what}, ${colorScheme}: ${one}`));
  }
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  if (wide > 0) failures.push(`${what}: ${wide} pixels wider than the window`);
  for (const part of await page.evaluate(stretching)) {
    failures.push(`${what}: ${part} scrolls, and does not cut off what is out of the flow in it`);
  }
}

/** Waits until what fades in is there. Colours change at once: the pages are opened with reduced motion. */
async function appeared(): Promise<void> {
  const ends = document
    .getAnimations()
    .filter(({ effect }) => Number.isFinite(effect?.getComputedTiming().endTime));
  await Promise.allSettled(ends.map(({ finished }) => finished));
}

/** The parts that scroll and are not positioned: a hidden word beyond the edge of one makes the page wider. */
function stretching(): string[] {
  const parts = [...document.body.querySelectorAll("*")].filter((part) => {
    const { overflowX, overflowY, position } = getComputedStyle(part);
    return position === "static" && [overflowX, overflowY].some((how) => how === "auto" || how === "scroll");
  });
  return [...new Set(parts.map(({ localName, className }) => `${localName} ${className}`.trim()))];
}

/** Opens a page of the board without a reload. */
async function go(page: Page, path: string): Promise<void> {
  const nothing = page.getByText("There is no such page.");
  for (const to of ["nothing", path]) {
    await page.evaluate((path) => {
      history.pushState(null, "", `/board/${path}`);
      dispatchEvent(new PopStateEvent("popstate"));
    }, to);
    await nothing.waitFor({ state: to === "nothing" ? "visible" : "detached" });
  }
  await page.getByRole("heading", { level: 1 }).first().waitFor();
  await page.locator(".skeleton").first().waitFor({ state: "detached" });
}

/** A page that shows something: what is waited for proves it. */
type Shown = [path: string, proof: string];

const pages: [Role, () => Shown[]][] = [
  [
    "dispatcher",
    () => [
      ["", "[data-status=SHIPPED] [role=row]"],
      [`?pickup=${ids["waiting"]}`, ".chosen .transitions button"],
      [`pickups/${ids["collected"]}`, ".way-taken li:nth-child(3)"],
      ["accounts", ".rows a"],
      [`accounts/${ids["account"]}`, "tbody tr"],
      ["password", "form"],
    ],
  ],
  [
    "staff",
    () => [
      ["", "main li"],
      [`pickups/${ids["collected"]}`, ".way-taken li:nth-child(3)"],
    ],
  ],
  ["hub", () => [["", ".overdue .row"]]],
  [
    "driver",
    () => [
      ["", ".task .transitions button"],
      [`pickups/${ids["assigned"]}`, ".way-taken li:nth-child(2)"],
    ],
  ],
  [
    "admin",
    () => [
      ["users", "main li, tbody tr"],
      ["groups", "main a"],
      [`groups/${ids["groups"]}`, "main li"],
      ["facilities", "main a"],
      [`facilities/${ids["facilities"]}`, "form"],
      ["facilities/new", "form"],
      ["feeds", "main a"],
      [`feeds/${ids["feeds"]}`, "main li"],
      ["reads", "form"],
      [`reads/users/${ids["dispatcher"]}`, "main li, tbody tr"],
      [`reads/patients/${ids["patient"]}`, "main li, tbody tr"],
      ["webhooks", "main a"],
      [`webhooks/${ids["webhooks"]}`, "main li, tbody tr"],
      ["webhooks/new", "form"],
      ["jobs", "main p"],
      ["flags", "main li, main [role=switch], main label"],
      ["nothing", "h1"],
    ],
  ],
];

/** A state of a page: what makes it, and which rules of axe it is not held to. */
type State = {
  role: Role;
  name: string;
  path?: string;
  without?: string[];
  make: (page: Page, isPhone: boolean) => Promise<unknown>;
};

const button = (page: Page, name: string) => page.getByRole("button", { name, exact: true });

const refuse = (page: Page, path: string, problem: object) =>
  page.route(path, (route) =>
    route.fulfill({
      status: 409,
      contentType: "application/problem+json",
      json: { type: "about:blank", title: "Refused", status: 409, detail: "It cannot be done.", ...problem },
    }),
  );

const states: State[] = [
  {
    role: "dispatcher",
    name: "ended columns",
    make: async (page) => {
      await button(page, "Show those that ended").click();
      await page.locator("[data-status=CANCELED] [role=row]").first().waitFor();
      await page.locator("[data-status=DELIVERED] [role=row]").first().waitFor();
    },
  },
  {
    role: "dispatcher",
    name: "filters with an open choice",
    make: async (page, isPhone) => {
      if (isPhone) await page.locator("summary").click();
      await page.getByRole("button", { name: /Facility/ }).click();
      await page.getByRole("option").first().waitFor();
    },
  },
  {
    role: "dispatcher",
    name: "the dialog of a cancellation",
    make: async (page) => {
      await press(page.locator("[data-status=SUBMITTED] [role=row]").first());
      await button(page, "Cancel").click();
      await page.getByRole("dialog").waitFor();
    },
  },
  {
    role: "dispatcher",
    name: "a refusal that names what is in the way",
    make: async (page) => {
      await refuse(page, "**/assign", { code: "driver_busy", pickup_id: ids["assigned"] });
      await press(page.locator("[data-status=SUBMITTED] [role=row]").first());
      await page
        .getByRole("button", { name: /^Assign to/ })
        .first()
        .click();
      await page.locator(".notice.refused a").waitFor();
    },
  },
  {
    role: "dispatcher",
    name: "a list that could not be read",
    path: "password",
    make: async (page) => {
      await refuse(page, "**/v1/accounts?*", { code: "internal" });
      await refuse(page, "**/v1/accounts", { code: "internal" });
      await page.getByRole("link", { name: "Accounts" }).click();
      await page.getByText("Could not be read.").first().waitFor();
    },
  },
  {
    role: "dispatcher",
    name: "a password refused",
    path: "password",
    make: async (page) => {
      await page.getByLabel("Current password").fill("not-the-password");
      await page.getByLabel("New password").fill("another-password");
      await button(page, "Change the password").click();
      await page.locator("form .refused").waitFor();
    },
  },
  {
    role: "staff",
    name: "an open search of a patient",
    // While its list is open, the component library hides the rest of the page from screen readers, landmarks too. The
    // focus cannot get to what is hidden: Tab closes the list first.
    without: ["region", "page-has-heading-one", "aria-hidden-focus"],
    make: async (page) => {
      await page.getByRole("combobox", { name: "Patient" }).fill("frank");
      await page.getByRole("option").first().waitFor();
    },
  },
  {
    role: "staff",
    name: "an open choice of an account",
    make: async (page) => {
      await page.getByRole("button", { name: /Charge to/ }).click();
      await page.getByRole("option").first().waitFor();
    },
  },
  {
    role: "staff",
    name: "the patient of a pickup",
    path: "pickup",
    make: async (page) => {
      await button(page, "Show the patient").click();
      await page.locator(".patient b").waitFor();
    },
  },
  {
    role: "hub",
    name: "outcomes and their log",
    make: async (page) => {
      for (const typed of ["4711", "4712", ids["waiting"]!]) {
        await page.getByLabel("Scan or type an id").fill(typed);
        await page.keyboard.press("Enter");
      }
      await page.locator(".log li").nth(1).waitFor();
      await page.locator(".outcome.refused").waitFor();
    },
  },
  {
    role: "admin",
    name: "the form of an endpoint",
    path: "webhook",
    make: async (page) => {
      await button(page, "Edit").click();
      await page.getByLabel("Address").waitFor();
    },
  },
  {
    role: "admin",
    name: "a question before an endpoint is deleted",
    path: "webhook",
    make: async (page) => {
      await button(page, "Delete").click();
      await page.getByRole("alertdialog").waitFor();
    },
  },
  {
    role: "admin",
    name: "the secret of an endpoint",
    path: "webhook",
    make: async (page) => {
      await button(page, "New secret").click();
      await page.getByRole("alertdialog").getByRole("button", { name: "New secret" }).click();
      await page.getByRole("dialog").getByText("The secret of the endpoint").waitFor();
    },
  },
];

const pathOf = ({ path = "" }: State) =>
  path === "pickup" ? `pickups/${ids["collected"]}` : path === "webhook" ? `webhooks/${ids["webhooks"]}` : path;

/** What is shown without a connection, and at the login after it. */
async function checkAway(page: Page): Promise<void> {
  await press(page.locator("[data-status=SUBMITTED] [role=row]").first());
  const assign = page.getByRole("button", { name: /^Assign to/ }).first();
  await assign.waitFor();
  proxy.down();
  await page.getByText("No connection to the server since").waitFor();
  await page.context().setOffline(true);
  await page.getByText("This device is offline since").waitFor();
  await assign.click();
  await page.getByRole("region", { name: "Not done yet" }).waitFor();
  await check(page, "offline, with a change that waits");
  await button(page, "Log out").click();
  await page.getByRole("alertdialog").waitFor();
  await check(page, "a question before the logout");
  await page.getByRole("alertdialog").getByRole("button", { name: "Log out" }).click();
  await page.getByText("had no answer when the session ended").waitFor();
  await check(page, "the login, with what was not sent");
}

/** The login after a session that was revoked, and a login that is refused. */
async function checkEnded(page: Page): Promise<void> {
  const token = await page.evaluate(() => JSON.parse(sessionStorage.getItem("waybill.session")!).token as string);
  const headers = { Authorization: `Bearer ${token}` };
  assert.ok((await fetch(`${v.server.url}/v1/session`, { method: "DELETE", headers })).ok);
  // Lists are read again. After a reload nothing would be said, if the page had been told by then.
  await submitted(v);
  await page.getByText("Your session has ended").waitFor();
  await check(page, "the login after the end of a session");
  await logIn(page, v.server.tenant, { ...userOf(v.server, "hub"), password: "not-the-password" });
  await page.locator(".refused").waitFor();
  await check(page, "a refused login");
}

/** What a page says that there is none of, and where. */
const nothings = (page: Page) =>
  page.evaluate(() => {
    const where = (said: Element) =>
      said.closest("section, nav, [aria-label]")?.querySelector("h2, h3")?.textContent;
    const said = [...document.querySelectorAll("main .empty, main .blank, main output")];
    const none = said.filter((one) => one.localName !== "output" || one.textContent === "0");
    return none.map((one) => `${where(one)}: ${one.textContent}`.replace(/\d+/g, "0"));
  });

/** Opens a page, which gets its answers one at a time, the last asked first. Returns what it said and took back. */
async function takenBack(page: Page, path: string, proof: string): Promise<string[]> {
  const held: (() => Promise<void>)[] = [];
  const reads = /\/v1\/(?!pickups\/stream)/;
  await page.route(reads, (route) => void held.push(() => route.continue()));
  await page.goto(`${v.server.url}/board/${path}`);
  const said = new Set<string>();
  for (let quiet = 0; quiet < 8; await page.waitForTimeout(40)) {
    const next = held.pop();
    await next?.();
    quiet = next ? 0 : quiet + 1;
    for (const one of await nothings(page)) said.add(one);
  }
  await page.unroute(reads);
  for (const next of held) await next();
  await page.locator(proof).first().waitFor();
  await settled(page);
  const still = await nothings(page);
  return [...said].filter((one) => !still.includes(one)).map((one) => `${path}, ${one}`);
}

test("no page says that there is none of what it has not read yet", async () => {
  const found: string[] = [];
  for (const [role, shown] of pages) {
    const page = await v.login(role);
    for (const [path, proof] of shown()) {
      if (role !== "admin" || /^(groups|feeds|webhooks)\/.*-/.test(path))
        found.push(...(await takenBack(page, path, proof)));
    }
    await page.context().close();
  }
  assert.deepEqual([...found, ...(await v.complaints())], []);
});

for (const viewport of [
  { width: 1440, height: 900 },
  { width: 390, height: 844 },
]) {
  const options = { viewport, reducedMotion: "reduce" as const };
  const isPhone = viewport.width < 600;
  const where = `${viewport.width} wide`;
  test(`axe finds nothing on any page, ${where}`, async () => {
    await check(await v.open(options), "login");
    for (const [role, shown] of pages) {
      const page = await v.login(role, options);
      for (const [path, proof] of shown()) {
        await go(page, path);
        await page.locator(proof).first().waitFor();
        await check(page, `${role} ${path}`);
      }
      await page.context().close();
    }
    assert.deepEqual([...failures, ...(await v.complaints())], []);
  });

  test(`axe finds nothing in any state of a page, ${where}`, async () => {
    for (const role of new Set(states.map((state) => state.role))) {
      const page = await v.login(role, options);
      for (const state of states.filter((one) => one.role === role)) {
        await go(page, pathOf(state));
        await state.make(page, isPhone);
        await check(page, state.name, state.without);
        await page.unrouteAll();
        await page.keyboard.press("Escape"); // what is open would hide the next page
      }
      await page.context().close();
    }
    await checkAway(await v.login("dispatcher", { ...options, url: proxy.url }));
    proxy.up();
    await checkEnded(await v.login("hub", options));
    // What waits for longer is coloured: as the clock says.
    const waiting = v.as("dispatcher").pickups.list({ status: ["SUBMITTED"], sort: "longest_waiting", limit: 1 });
    const [longest] = unwrap(await waiting.page()).items;
    for (const minutes of [45, 90]) {
      const page = await v.login("dispatcher", options);
      await page.clock.install({ time: Date.parse(longest!.submitted_at!) + minutes * 60_000 });
      await page.reload();
      await page
        .locator(`.waiting.${minutes > 60 ? "hot" : "warm"}`)
        .first()
        .waitFor();
      await page.clock.resume();
      await card(page, "SUBMITTED", "San Francisco").first().waitFor();
      await check(page, `pickups that wait for ${minutes} minutes`);
      await page.context().close();
    }
    assert.deepEqual([...failures, ...(await v.complaints())], []);
  });
}
