import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, afterEach, before, test } from "node:test";

import { setupServer } from "msw/node";
import { parse } from "yaml";

import { createWaybill, Refused, type Schema, unwrap } from "../src/index.js";
import { type MockedId, waybillHandlers } from "../src/msw.js";
import { operations } from "../src/operations.js";
import type { Operation } from "../src/types.js";

const origin = "https://waybill.example";
const mock = waybillHandlers({ origin });
const server = setupServer(...mock.handlers);
const waybill = createWaybill({ baseUrl: origin, token: "x", firstPause: 1, longestPause: 2 });
const id = "01234567-89ab-7cde-8f01-23456789abcd";

before(() => server.listen({ onUnhandledRequest: "error" }));
afterEach(() => mock.reset());
after(() => server.close());

const document = parse(await readFile(join(import.meta.dirname, "../../../openapi.yaml"), "utf8"));

const resolve = (part: any): any =>
  part?.$ref ? resolve(part.$ref.slice(2).split("/").reduce((at: any, name: string) => at[name], document)) : part;

type Documented = { id: MockedId; method: string; path: string; responses: Record<string, any> };

const documented: Documented[] = Object.entries<any>(document.paths).flatMap(([path, item]) =>
  Object.entries<any>(item)
    .filter(([, op]) => op.operationId !== "get-error") // a page for people
    .map(([method, op]) => ({ id: op.operationId, method: method.toUpperCase(), path, responses: op.responses })),
);

/** Sends a request of an operation, until the signal is aborted. */
function send({ method, path }: Documented, signal?: AbortSignal): Promise<Response> {
  const url = origin + path.replace(/\{\w+\}/g, id);
  const body = method !== "GET" && method !== "DELETE" && { body: "{}" };
  return fetch(url, { method, ...body, ...(signal && { signal }) });
}

test("each operation answers as its example in the document does", async () => {
  assert.equal(documented.length, Object.keys(operations).length);
  for (const op of documented) {
    const [status, answer] = Object.entries(op.responses).findLast(([status]) => /^20[014]$/.test(status))!;
    const stop = new AbortController();
    const response = await send(op, stop.signal);
    assert.equal(response.status, Number(status), op.id);
    const media = answer.content?.["application/json"];
    if (media) {
      const value = await response.json();
      assert.deepEqual(Object.keys(value).sort(), Object.keys(media.example).sort(), op.id);
    }
    assert.equal(response.headers.has("ETag"), answer.headers?.ETag !== undefined, op.id);
    stop.abort(); // the stream, which stays open
  }
});

test("each operation is refused with each of its codes", async () => {
  let refused = 0;
  for (const op of documented) {
    for (const [status, response] of Object.entries(op.responses)) {
      const problem = resolve(resolve(response).content?.["application/problem+json"]?.schema);
      for (const code of resolve(problem?.properties?.code)?.enum ?? []) {
        mock.respond(op.id, { code } as never, { times: 1 });
        const response = await send(op);
        const body = (await response.json()) as Schema<"Problem">;
        assert.deepEqual([response.status, body.status, body.code], [Number(status), Number(status), code], op.id);
        assert(body.title && body.detail);
        refused++;
      }
    }
  }
  assert(refused > 500, `${refused} refusals`);
});

test("what a client calls is what it gets back", async () => {
  const created = unwrap(await waybill.pickups.create({
    facility_id: id,
    account_id: id,
    price_cents: 77,
    pickup_address: "A",
    dropoff_address: "B",
    note: "Ring",
  }));
  assert.deepEqual([created.price_cents, created.note, created.status], [77, "Ring", "DRAFT"]);
  assert.deepEqual(unwrap(await waybill.pickups.get(created.id)), created);
  const edited = unwrap(await waybill.pickups.edit(created, { note: null }));
  assert.deepEqual([edited.id, edited.note], [created.id, null]);
  // The row of a list has no ETag: it is read, and has the version of the list.
  const [listed] = unwrap(await waybill.pickups.list().page()).items;
  assert.equal(unwrap(await waybill.pickups.edit(listed!, { note: "Ring twice" })).note, "Ring twice");
  const submitted = await waybill.pickups.submit(id);
  assert(submitted.ok && submitted.value.id === id && submitted.etag === `"${submitted.value.version}"`);
  const charged = unwrap(await waybill.accounts.charge(id, { amount_cents: 5 }));
  assert.equal(charged.account_id, id);
  assert.notEqual(charged.id, id);
  const order = { facility_id: id, account_id: id, price_cents: 1, pickup_address: "A", dropoff_address: "B" };
  assert(unwrap(await waybill.pickups.createMany({ items: [order] })).items.every((p) => p.status === "DRAFT"));
  for await (const pickup of waybill.pickups.list()) assert(pickup.id);
  const statement = unwrap(await waybill.accounts.getStatement(id)); // has items, and is no list
  assert.equal(statement.items.at(-1)?.balance_cents, statement.closing_cents);
  unwrap(await waybill.sessions.logout());
});

test("a test says what is refused, answered otherwise, or lost", async () => {
  mock.respond("assign-pickup", { code: "driver_busy", detail: "Grace is busy." });
  for (let i = 0; i < 2; i++) {
    const assigned = await waybill.pickups.assign(id, { driver_id: id });
    assert(!assigned.ok && assigned.error.code === "driver_busy" && assigned.error.detail === "Grace is busy.");
  }
  // The client tries again until it is answered.
  mock.respond("submit-pickup", { code: "overloaded", retryAfter: 0 }, { times: 1 });
  mock.respond("submit-pickup", { lost: true }, { times: 2 });
  assert.equal(unwrap(await waybill.pickups.submit(id)).status, "SUBMITTED");
  mock.respond("list-drivers", { value: { items: [] } });
  assert.deepEqual(unwrap(await waybill.drivers.list().page()).items, []);
  mock.respond("list-pickups", {
    value: ({ query }) => ({ items: [], ...(!query.has("cursor") && { next_cursor: query.get("status")! }) }),
  });
  assert.equal(unwrap(await waybill.pickups.list({ status: ["DRAFT"] }).page()).next, "DRAFT");
  mock.respond("get-account", { lost: true });
  const lost = await waybill.accounts.get(id, { deadline: 20 });
  assert(!lost.ok && lost.error.code === "no_answer");
  mock.reset();
  unwrap(await waybill.pickups.assign(id, { driver_id: id }));
});

test("the stream tells what a test wants, and stays open", async () => {
  const stop = new AbortController();
  const states: string[] = [];
  const told: string[] = [];
  const onState = (state: string) => states.push(state);
  for await (const { event } of waybill.pickups.stream({ signal: stop.signal, onState })) {
    told.push(event?.transition ?? "checkpoint");
    if (event) stop.abort();
  }
  assert.deepEqual(told, ["checkpoint", "submit"]);
  assert.deepEqual(states, ["connecting", "open"]);
  mock.respond("stream-pickups", { code: "stream_restarted" });
  await assert.rejects(
    async () => {
      for await (const _ of waybill.pickups.stream()) assert.fail();
    },
    (error) => error instanceof Refused && error.problem.code === "stream_restarted",
  );
});

test("the compiler knows the codes and values of each operation", () => {
  // @ts-expect-error: assign-pickup does not declare this code
  mock.respond("assign-pickup", { code: "email_taken" });
  // @ts-expect-error: a driver is no pickup
  mock.respond("submit-pickup", { value: { name: "Grace", on_duty: true } });
  // @ts-expect-error: there is no such operation
  assert.throws(() => operations["no-pickup"].tag);
  assert.equal((operations["assign-pickup"] satisfies Operation).tag, "pickups");
});
