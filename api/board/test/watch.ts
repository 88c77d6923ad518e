import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";

import { limit } from "../../ts/dist/test/wait.js";
import type { Canaries } from "./canaries.js";
import type { Page, Role } from "./visit.js";

/** Listens to all that a page sends, gets, stores and shows, and returns what must not have been among it. */
export type Watch = {
  role: Role | undefined;
  /** Waits until something of the page's stream was heard: a search of nothing proves nothing. */
  streamed: () => Promise<void>;
  /** Returns what was found since it was last called, also in what the page has now. */
  search: () => Promise<string[]>;
};

/** unhidden: what of it is kept by others, such as the logs of proxies, or outlives the page. */
type Heard = { where: string; text: string; unhidden?: string };

/** What runs in the page from its beginning: what is shown or stored for a moment only is found, too. */
function observe({ foreign, patients }: { foreign: string[]; patients: string[] }): void {
  const complain = (where: string, text: string | null, words: string[]) => {
    const found = words.find((word) => text?.includes(word));
    if (found) console.error(`a canary is in ${where}: ${found}`);
  };
  const look = (changes: MutationRecord[]) => {
    for (const { type, target, addedNodes } of changes) {
      if (type !== "childList") complain("the page", (target as Element).outerHTML ?? target.textContent, foreign);
      for (const node of addedNodes) complain("the page", (node as Element).outerHTML ?? node.textContent, foreign);
    }
    const address = decodeURIComponent(location.href.replaceAll("+", " "));
    complain("the title or address", `${document.title} ${address}`, patients);
  };
  const options = { subtree: true, childList: true, characterData: true, attributes: true };
  new MutationObserver(look).observe(document, options);
  const { setItem } = Storage.prototype;
  Storage.prototype.setItem = function (key, value) {
    complain("a storage", `${key} ${value}`, [...foreign, ...patients]);
    setItem.call(this, key, value);
  };
}

/** What a page has stored, whatever wrote it. */
async function storages(): Promise<string> {
  const databases = await indexedDB.databases();
  const cached = "caches" in globalThis ? await caches.keys() : [];
  return JSON.stringify([{ ...sessionStorage }, { ...localStorage }, databases, cached, document.cookie]);
}

/** Returns an address as it is read: with spaces, in whichever way they were written. */
function plain(url: string): string {
  return decodeURIComponent(url.replaceAll("+", " ").replaceAll(/%(?![0-9a-f]{2})/gi, "%25"));
}

function isStream(url: string): boolean {
  return new URL(url).pathname.endsWith("/v1/pickups/stream");
}

/** Watches a page, which is still blank. In pages of which many thousand rows are measured, nothing is observed. */
export async function watch(
  page: Page,
  canaries: Canaries,
  role: Role | undefined,
  measured: boolean,
): Promise<Watch> {
  let heard: Heard[] = [];
  let hasStreamed = () => {};
  const first = new Promise<void>((resolve) => (hasStreamed = resolve));
  const pending = new Set<Promise<void>>();
  const later = (read: Promise<Heard>) => {
    const done = read.then(
      (found) => void heard.push(found),
      () => {}, // it was cut, or its page is gone
    );
    pending.add(done);
    void done.then(() => pending.delete(done));
  };
  page.on("request", (request) => {
    const where = `the request ${request.method()} ${request.url()}`;
    const address = plain(request.url());
    heard.push({ where, text: `${address} ${request.postData() ?? ""}`, unhidden: address });
  });
  page.on("requestfinished", (request) => {
    if (isStream(request.url())) return;
    const answer = async () => ({
      where: `the answer of ${request.url()}`,
      text: (await (await request.response())?.text()) ?? "",
    });
    later(answer());
  });
  await followStream(page, (text) => {
    heard.push({ where: "the stream", text });
    hasStreamed();
  });
  const foreignTo = (who: Role | undefined) =>
    who === "staff" || who === "driver" ? [...canaries.tenant, ...canaries.facility] : canaries.tenant;
  if (!measured) await page.addInitScript(observe, { foreign: foreignTo(role), patients: canaries.patients });
  return {
    role,
    streamed: async () => {
      const late = new AbortController();
      const never = sleep(limit, undefined, late).then(() => assert.fail("nothing of the page's stream was heard"));
      await Promise.race([first, never]);
      late.abort();
    },
    search: async () => {
      if (!page.isClosed()) {
        heard.push({ where: "the page", text: await page.content() });
        const text = await page.evaluate(storages);
        heard.push({ where: "a storage", text, unhidden: text });
      }
      await Promise.all(pending);
      const found = heard.flatMap((one) => searched(one, foreignTo(role), canaries.patients));
      heard = [];
      return [...new Set(found)];
    },
  };
}

/** Returns the canaries in what was heard. */
function searched({ where, text, unhidden = "" }: Heard, foreign: string[], patients: string[]): string[] {
  const found = [
    ...foreign.filter((word) => text.includes(word)),
    ...patients.filter((word) => unhidden.includes(word)),
  ];
  return found.map((word) => `a canary is in ${where}: ${word}`);
}

/** Reads what the page's streams get, as they get it: their answers never end. */
async function followStream(page: Page, onText: (text: string) => void): Promise<void> {
  const cdp = await page.context().newCDPSession(page);
  const streams = new Set<string>();
  const say = (data: string) => onText(Buffer.from(data, "base64").toString());
  cdp.on("Network.responseReceived", ({ requestId, response }) => {
    if (!isStream(response.url) || response.status !== 200) return;
    streams.add(requestId);
    // One that has ended by now has its content like any other answer, unless it was cut.
    const whole = () =>
      cdp
        .send("Network.getResponseBody", { requestId })
        .then(({ body, base64Encoded }) => (base64Encoded ? say(body) : onText(body)));
    const streamed = cdp.send("Network.streamResourceContent", { requestId });
    streamed.then(({ bufferedData }) => say(bufferedData), whole).catch(() => {});
  });
  cdp.on("Network.dataReceived", ({ requestId, data }) => {
    if (data !== undefined && streams.has(requestId)) say(data);
  });
  await cdp.send("Network.enable");
}
