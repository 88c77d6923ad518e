import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";

import { createWaybill, type WaybillOptions } from "../src/index.js";

type Answer = () => Response;

const answers =
  (status: number, body: object, headers: Record<string, string> = {}): Answer =>
  () =>
    new Response(JSON.stringify(body), { status, headers: { "Content-Type": "application/json", ...headers } });

const refuses = (status: number, code: string, headers: Record<string, string> = {}): Answer =>
  answers(status, { code, status, detail: "no" }, headers);

const page = (status: number, headers: Record<string, string> = {}): Answer => () =>
  new Response("<html>", { status, headers: { "Content-Type": "text/html", ...headers } });

const loses: Answer = () => {
  throw new TypeError("fetch failed");
};

const submitted = answers(200, { id: "a", status: "SUBMITTED" }, { ETag: '"7"' });

/** Where the mocked clock begins. */
const began = Date.parse("2026-01-05T09:00:00Z");

/** What was sent: when, with which key. */
type Sent = { at: number; key: string | null; url: string; method: string };

/**
 * Submits a pickup, through a network that answers with each step once, and with the last again and again. The clock is
 * a mock, which goes on by the pauses alone. Returns the result, and what was sent.
 */
async function submit(t: TestContext, steps: Answer[], limits: Partial<WaybillOptions> = {}) {
  t.mock.timers.enable({ apis: ["Date"], now: began });
  const waiting = t.mock.method(globalThis, "setTimeout", (done: () => void, ms: number) => {
    t.mock.timers.tick(Math.max(1, Math.ceil(ms)));
    setImmediate(done);
  });
  const sent: Sent[] = [];
  const waybill = createWaybill({
    baseUrl: "https://waybill.example",
    token: "x",
    ...limits,
    fetch: async (request) => {
      const { headers, url, method } = request;
      sent.push({ at: Date.now() - began, key: headers.get("Idempotency-Key"), url, method });
      return steps[Math.min(sent.length, steps.length) - 1]!();
    },
  });
  try {
    const result = await waybill.pickups.submit("a");
    return { result, sent, took: Date.now() - began };
  } finally {
    waiting.mock.restore();
    t.mock.timers.reset();
  }
}

/** Fails unless all attempts were the same request, with one key. */
function sameRequest(sent: Sent[]) {
  for (const { key, url, method } of sent) {
    assert(key, "an attempt has no key");
    assert.deepEqual({ key, url, method }, { key: sent[0]!.key, url: sent[0]!.url, method: "POST" });
  }
}

const temporary: Record<string, Answer> = {
  "a lost connection": loses,
  "a page instead of an error": page(404),
  "a page of a proxy that failed": page(500),
};
for (const [status, code] of [
  [408, "request_timeout"],
  [425, "too_early"],
  [429, "concurrency_limit"],
  [502, "bad_gateway"],
  [503, "overloaded"],
  [504, "timeout"],
] as const) {
  temporary[`${status} ${code}`] = refuses(status, code);
  temporary[`a page of a proxy with ${status}`] = page(status);
}

for (const [name, step] of Object.entries(temporary)) {
  test(`sends again with the same key after ${name}`, async (t) => {
    const { result, sent } = await submit(t, [step, step, submitted]);
    assert(result.ok, JSON.stringify(result));
    assert.equal(result.value.status, "SUBMITTED");
    assert.equal(result.etag, '"7"');
    assert.equal(sent.length, 3);
    sameRequest(sent);
  });
}

const final: Record<string, [number, string]> = {
  "400 unreadable_body": [400, "unreadable_body"],
  "401 unauthenticated": [401, "unauthenticated"],
  "403 forbidden": [403, "forbidden"],
  "404 not_found": [404, "not_found"],
  "409 illegal_transition": [409, "illegal_transition"],
  "412 stale_version": [412, "stale_version"],
  "422 validation_failed": [422, "validation_failed"],
  "428 precondition_required": [428, "precondition_required"],
  "500 internal": [500, "internal"],
  "507 storage_full": [507, "storage_full"],
  "a code that is not known yet": [422, "new"],
};

for (const [name, [status, code]] of Object.entries(final)) {
  test(`sends once what is answered with ${name}, also if it has Retry-After`, async (t) => {
    const { result, sent } = await submit(t, [refuses(status, code, { "Retry-After": "1" }), submitted]);
    assert(!result.ok);
    assert.equal(result.error.code, code);
    assert.equal(sent.length, 1);
  });
}

const headers: Record<string, { value: string; least: number; most: number }> = {
  "in seconds": { value: "7", least: 7_000, most: 7_000 },
  "as a date": { value: "Mon, 05 Jan 2026 09:00:07 GMT", least: 7_000, most: 7_000 },
  "as a date of RFC 850": { value: "Monday, 05-Jan-26 09:00:07 GMT", least: 7_000, most: 7_000 },
  "as a date that has passed": { value: "Mon, 05 Jan 2026 08:59:00 GMT", least: 1, most: 100 },
  "of no time": { value: "0", least: 1, most: 100 },
  "below zero": { value: "-3", least: 1, most: 100 },
  "as no time": { value: "soon", least: 1, most: 100 },
};

for (const [name, { value, least, most }] of Object.entries(headers)) {
  test(`waits as long as Retry-After says: ${name}`, async (t) => {
    for (const status of [429, 503]) {
      const { result, sent } = await submit(t, [refuses(status, "overloaded", { "Retry-After": value }), submitted]);
      assert(result.ok);
      const wait = sent[1]!.at - sent[0]!.at;
      assert(wait >= least && wait <= most, `it waited for ${wait} ms after ${status}`);
    }
  });
}

for (const [name, value] of [["in seconds", "31"], ["as a date", "Mon, 05 Jan 2026 09:00:31 GMT"]] as const) {
  test(`does not wait past the deadline for Retry-After ${name}`, async (t) => {
    const late = await submit(t, [refuses(503, "overloaded", { "Retry-After": value }), submitted]);
    assert(!late.result.ok);
    assert.equal(late.result.error.code, "overloaded"); // the answer that there is
    assert.equal(late.sent.length, 1);
    assert.equal(late.took, 0);
    const unknown = await submit(t, [page(503, { "Retry-After": value }), submitted]);
    assert(!unknown.result.ok);
    assert.equal(unknown.result.error.code, "no_answer");
    assert.equal(unknown.sent.length, 1);
    const later = await submit(t, [page(503, { "Retry-After": value }), submitted], { deadline: 40_000 });
    assert(later.result.ok);
    assert.equal(later.sent[1]!.at, 31_000);
  });
}

test("pauses double up to the longest, vary, and end at the deadline", async (t) => {
  const longest = (n: number) => Math.min(100 * 2 ** n, 5_000);
  const firsts = new Set<number>();
  const most: number[] = [];
  for (let i = 0; i < 50; i++) {
    const { result, sent, took } = await submit(t, [loses]);
    assert(!result.ok);
    assert.equal(result.error.code, "no_answer");
    assert(took <= 30_000, `it tried for ${took} ms`);
    sameRequest(sent);
    for (let n = 0; n + 1 < sent.length; n++) {
      const pause = sent[n + 1]!.at - sent[n]!.at;
      assert(pause <= longest(n), `pause ${n} is ${pause} ms`);
      most[n] = Math.max(most[n] ?? 0, pause);
    }
    firsts.add(sent[1]!.at);
  }
  // Of 50 random parts of a pause the longest is above half of it, but once in 2^50 times.
  for (let n = 0; n < 8; n++) assert(most[n]! > longest(n) / 2, `pause ${n} is ${most[n]} ms at most`);
  assert(firsts.size > 5, "the first pauses are all alike");
});

test("an answer after an attempt that may have taken effect is told as the refusal that it is", async (t) => {
  const { result, sent } = await submit(t, [loses, refuses(409, "illegal_transition")]);
  assert(!result.ok);
  assert.equal(result.error.code, "illegal_transition");
  assert.equal(sent.length, 2);
});
