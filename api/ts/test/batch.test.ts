import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, test } from "node:test";

import { setupServer } from "msw/node";

import { createWaybill, Refused, type Schema, unwrap, type Waybill, type WaybillOptions } from "../src/index.js";
import { waybillHandlers } from "../src/msw.js";
import { type Server, start } from "./server.js";

let server: Server;
let order: Schema<"NewPickup">;

before(async () => {
  server = await start();
  const [facility] = unwrap(await as("admin").facilities.list().page()).items;
  const [account] = unwrap(await as("admin").accounts.list().page()).items;
  assert(facility && account);
  order = {
    facility_id: facility.id,
    account_id: account.id,
    price_cents: 100,
    pickup_address: "2401 Mission St",
    dropoff_address: "1 Lab Way",
  };
});

after(() => server?.stop());

function as(role: Schema<"UserRole">, options: Partial<WaybillOptions> = {}): Waybill {
  const user = server.users.find((u) => u.role === role);
  assert(user);
  return createWaybill({ baseUrl: server.url, token: user.token, ...options });
}

/** Loses the first answer to a batch. */
function losing(): typeof fetch {
  let lost = false;
  return async (request) => {
    const answer = await fetch(request);
    if (lost || !(request as Request).url.includes("/v1/batch")) return answer;
    lost = true;
    throw new TypeError("the answer was lost");
  };
}

test("a batch of several nouns gives each item its value, and is one intent", async () => {
  const dispatcher = as("dispatcher");
  const { batch } = dispatcher;
  const { id: driver_id } = unwrap(await as("admin").drivers.create({ name: "Grace", on_duty: true }));
  const driver = unwrap(await dispatcher.drivers.get(driver_id));
  const id = randomUUID();
  const items = [
    batch.item("create-pickup", { ...order, id }),
    batch.item("submit-pickup", id, { ifMatch: '"1"' }),
    batch.item("edit-driver", driver, { name: "Grace Hopper" }),
    batch.item("assign-pickup", id, { driver_id }),
    batch.item("cancel-pickup", id, { reason: "Booked twice" }),
  ] as const;
  const tried = await batch(items, { dryRun: true });
  assert(tried.ok && tried.dryRun);
  assert.deepEqual([tried.value[4].value.status, tried.value[4].etag], ["CANCELED", undefined]);
  const none = await dispatcher.pickups.get(id);
  assert(!none.ok && none.error.code === "not_found");

  const written = await batch(items);
  assert(written.ok && !written.dryRun);
  const [created, submitted, edited, assigned, canceled] = written.value;
  assert.deepEqual(
    [created, submitted, assigned, canceled].map(({ value, replayed }) => [value.id, value.status, replayed]),
    ["DRAFT", "SUBMITTED", "ASSIGNED", "CANCELED"].map((status) => [id, status, false]),
  );
  assert.equal(edited.value.name, "Grace Hopper");
  // The ETag of an answer is that of the next edit, in a batch or not.
  const [renamed] = unwrap(await batch([batch.item("edit-driver", edited.value, { name: "Grace" })]));
  assert.equal(unwrap(await dispatcher.drivers.edit(renamed.value, { on_duty: false })).on_duty, false);

  const again = await batch([items[0], items[1], items[3], items[4]]);
  assert(again.ok && again.value.every(({ replayed }) => replayed));

  const hub = server.users.find((u) => u.role === "hub")!;
  const admin = as("admin");
  const user = unwrap(await createWaybill({ baseUrl: server.url, token: hub.token }).sessions.get()).user.id;
  const group = unwrap(await admin.groups.create({ name: randomUUID() })).id;
  const others = unwrap(await admin.batch([
    admin.batch.item("add-group-member", group, user),
    admin.batch.item("deposit-to-account", order.account_id, { amount_cents: 70 }),
  ]));
  const nothing: undefined = others[0].value;
  assert.deepEqual([nothing, others[1].value.amount_cents], [undefined, 70]);
});

test("a batch that is rejected tells the item, and writes nothing", async () => {
  const admin = as("admin");
  const before = unwrap(await admin.accounts.get(order.account_id)).balance_cents;
  const { item } = admin.batch;
  const rejected = await admin.batch([
    item("deposit-to-account", order.account_id, { amount_cents: 70 }),
    item("create-group", { name: randomUUID() }),
    item("cancel-pickup", randomUUID()),
  ]);
  assert(!rejected.ok && rejected.item === 2 && rejected.error.code === "not_found");
  assert.throws(() => unwrap(rejected), (error) => error instanceof Refused && error.problem.code === "not_found");
  assert.equal(unwrap(await admin.accounts.get(order.account_id)).balance_cents, before);
  const [listed] = unwrap(await admin.groups.list().page()).items;
  assert.throws(() => item("edit-group", listed!, { name: "Mission" }), /no ETag/);
});

test("a batch whose answer is lost is made once, and says when it cannot know", async () => {
  const [admin, lossy] = [as("admin"), as("admin", { fetch: losing(), firstPause: 1, longestPause: 1 })];
  const before = unwrap(await admin.accounts.get(order.account_id)).balance_cents;
  const [, paid] = unwrap(await lossy.batch(
    [
      lossy.batch.item("create-group", { name: randomUUID() }),
      lossy.batch.item("deposit-to-account", order.account_id, { amount_cents: 70 }),
    ],
    { idempotencyKey: randomUUID() },
  ));
  assert(paid.replayed);
  assert.equal(unwrap(await admin.accounts.get(order.account_id)).balance_cents, before + 70);

  const lossyAgain = as("admin", { fetch: losing(), firstPause: 1, longestPause: 1 });
  const group = unwrap(await admin.groups.create({ name: randomUUID() }));
  const edit = lossyAgain.batch.item("edit-group", group, { name: randomUUID() });
  const unknown = await lossyAgain.batch([edit]);
  assert(!unknown.ok && unknown.error.code === "no_answer");
  assert.equal(unwrap(await admin.groups.get(group.id)).version, group.version + 1);
  const stale = await lossyAgain.batch([edit]);
  assert(!stale.ok && stale.error.code === "stale_version" && stale.item === 0);
});

test("the compiler checks an item like a call of its own, and knows its answer", () => {
  const { batch } = createWaybill({ baseUrl: "http://127.0.0.1:1" });
  const compiled = async () => {
    // @ts-expect-error: an assignment names a driver
    batch.item("assign-pickup", "id", { driver: "id" });
    // @ts-expect-error: a batch has no reads
    batch.item("get-pickup", "id");
    // @ts-expect-error: nor batches
    batch.item("write-batch", { items: [] });
    // @ts-expect-error: a deposit has no If-Match
    batch.item("deposit-to-account", "id", { amount_cents: 1 }, { ifMatch: '"1"' });
    const [account, pickup] = unwrap(await batch([
      batch.item("create-account", { name: "Lab", currency: "USD" }),
      batch.item("submit-pickup", "id"),
    ]));
    account.value.balance_cents satisfies number;
    pickup.value.status satisfies Schema<"PickupStatus">;
    // @ts-expect-error: the account is the first
    pickup.value.balance_cents;
  };
  assert(compiled);
  // The document's own types tell items apart, too.
  const item: Schema<"Write"> = { operation: "submit-pickup", path: { pickup_id: "id" } };
  // @ts-expect-error: a submit has no body
  const wrong: Schema<"Write"> = { operation: "submit-pickup", path: { pickup_id: "id" }, body: { driver_id: "id" } };
  assert(item && wrong);
});

test("a mock answers each item of a batch as its operation", async (t) => {
  const origin = "https://waybill.example";
  const mock = waybillHandlers({ origin });
  const mocks = setupServer(...mock.handlers);
  mocks.listen({ onUnhandledRequest: "bypass" });
  t.after(() => mocks.close());
  const { batch, pickups } = createWaybill({ baseUrl: origin, token: "x" });
  const id = randomUUID();
  const create = batch.item("create-pickup", { ...order, id, price_cents: 77 });
  const items = [create, batch.item("submit-pickup", id)] as const;
  const tried = await batch(items, { dryRun: true });
  assert(tried.ok && tried.dryRun);
  const [created, submitted] = unwrap(await batch(items));
  const { version } = submitted.value;
  assert.deepEqual([created.value.price_cents, submitted.value.id, submitted.etag], [77, id, `"${version}"`]);
  assert.equal(unwrap(await pickups.get(id)).status, "SUBMITTED");
  mock.respond("write-batch", { code: "driver_busy", item: 1 });
  const rejected = await batch(items);
  assert(!rejected.ok && rejected.item === 1 && rejected.error.code === "driver_busy");
});
