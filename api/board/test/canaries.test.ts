import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { visit, type Visit } from "./visit.js";
import { eventually, settled } from "./wait.js";

// The search for canaries finds them, wherever they are: a test that finds none proves that there are none.

let v: Visit;

before(async () => {
  v = await visit();
});

after(() => v?.close());

/** What leaks a word, and where it is found. */
type Leak = [where: string, script: (word: string) => string];

const shown = (word: string) =>
  `const p = document.createElement("p"); p.title = "${word}"; document.body.append(p);`;

const leaks: Leak[] = [
  ["the request GET", (word) => `fetch("/v1/pickups?text=" + encodeURIComponent("${word}"))`],
  ["the request POST", (word) => `fetch("/v1/batch", { method: "POST", body: "${word}" })`],
  ["the answer of", (word) => `fetch("/v1/leak", { method: "POST", headers: { leaks: btoa("${word}") } })`],
  ["the stream", (word) => `fetch("/v1/pickups/stream?leak", { headers: { leaks: btoa("${word}") } })`],
  ["the page", (word) => `void document.body.append("${word}")`],
  ["the page", (word) => `(() => { ${shown(word)} return Promise.resolve().then(() => p.remove()); })()`],
  ["a storage", (word) => `(localStorage.setItem("a", "${word}"), localStorage.removeItem("a"))`],
  ["a storage", (word) => `void (localStorage.a = "${word}")`],
];

for (const [role, kind] of [
  ["staff", "facility"],
  ["driver", "facility"],
  ["dispatcher", "tenant"],
  ["admin", "tenant"],
  ["hub", "tenant"],
] as const) {
  test(`what is of a foreign ${kind} is found with ${role}: sent, got, stored or shown for a moment`, async () => {
    const page = await v.login(role);
    for (const path of ["**/v1/leak", "**/v1/pickups/stream?leak"]) {
      await page.route(path, async (route) => {
        const body = Buffer.from(route.request().headers()["leaks"]!, "base64").toString();
        await route.fulfill({ contentType: "text/event-stream", body: `data: ${body}\n\n` });
      });
    }
    // Each leak has a word of its own.
    const words = v.canaries[kind].slice(-leaks.length);
    for (const [i, [, script]] of leaks.entries()) await page.evaluate(script(words[i]!));
    // What is got comes later, on a busy machine much later.
    await eventually(async () => {
      const found = await v.heard();
      for (const [i, [where]] of leaks.entries()) {
        const says = (one: string) => one.includes(`a canary is in ${where}`) && one.endsWith(words[i]!);
        assert.ok(found.some(says), `${where}, ${words[i]}:\n${found.join("\n")}`);
      }
    });
    await v.complaints();
  });
}

test("what is of a patient is found in an address, a title and a storage", async () => {
  for (const [where, script] of [
    ["the request GET", `fetch("/v1/pickups?text=Rosalind%20Franklin")`],
    ["the request GET", `fetch("/v1/pickups?text=Rosalind+Franklin")`],
    ["the title or address", `void (document.title = "Rosalind Franklin")`],
    ["the title or address", `(history.replaceState(null, "", "?q=Rosalind+Franklin"), document.body.append(""))`],
    ["a storage", `sessionStorage.setItem("last", "Rosalind Franklin")`],
  ] as const) {
    const page = await v.login("dispatcher");
    await page.evaluate(script);
    await eventually(async () => {
      const found = (await v.heard()).join("\n");
      assert.ok(found.includes(`a canary is in ${where}`), `${where}: ${found || "nothing"}`);
    });
    await v.complaints();
  }
});

test("what a role may be told is no canary for it", async () => {
  const page = await v.login("dispatcher");
  await page.evaluate(`void document.body.append("${v.canaries.facility.join(" ")} Rosalind Franklin")`);
  await settled(page);
  assert.deepEqual(await v.complaints(), []);
});
