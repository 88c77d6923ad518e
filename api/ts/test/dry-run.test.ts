import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, test } from "node:test";

import { setupServer } from "msw/node";

import { createWaybill, etagOf, type Schema, unwrap, type Waybill, type WaybillOptions } from "../src/index.js";
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

const dryRun = true;

test("a dry run answers what the write would, and writes nothing", async () => {
  const [staff, admin, idempotencyKey] = [as("staff"), as("admin"), randomUUID()];
  const draft = await staff.pickups.create(order, { idempotencyKey, dryRun });
  assert(draft.ok && draft.dryRun && !draft.replayed && draft.value.status === "DRAFT");
  assert.equal(draft.etag ?? etagOf(draft.value), undefined);
  const none = await staff.pickups.get(draft.value.id);
  assert(!none.ok && none.error.code === "not_found");
  const made = await staff.pickups.create(order, { idempotencyKey });
  assert(made.ok && !made.dryRun && !made.replayed);
  const { id } = made.value;

  const moved = await staff.pickups.submit(id, { idempotencyKey, dryRun });
  assert(moved.ok && moved.dryRun && moved.value.status === "SUBMITTED");
  const read = await staff.pickups.get(id);
  assert(read.ok && !read.dryRun && read.etag === made.etag);
  const submitted = await staff.pickups.submit(id, { idempotencyKey });
  assert(submitted.ok && !submitted.replayed && !submitted.dryRun);
  const again = await staff.pickups.submit(id, { idempotencyKey, dryRun });
  assert(again.ok && again.replayed && again.dryRun);
  const refused = await staff.pickups.submit(id, { dryRun });
  assert(!refused.ok && refused.error.code === "illegal_transition");

  const entry = { id: randomUUID(), amount_cents: 50 };
  const charged = await admin.accounts.charge(order.account_id, entry, { dryRun });
  assert(charged.ok && charged.dryRun && charged.value.id === entry.id);
  const paid = await admin.accounts.charge(order.account_id, entry);
  assert(paid.ok && !paid.replayed);
});

test("the answer of a dry run is no base of an edit", async () => {
  const staff = as("staff");
  const base = unwrap(await staff.pickups.create(order));
  const edited = await staff.pickups.edit(base, { note: "Ring twice" }, { dryRun });
  assert(edited.ok && edited.dryRun && edited.value.version === base.version + 1);
  unwrap(await staff.pickups.edit(base, { note: "Ring twice" })); // makes the version that the dry run told
  await assert.rejects(staff.pickups.edit(edited.value, { note: "Do not ring" }), /dry run/);
  // The one edit since was this change, and not by this dry run.
  const late = await staff.pickups.edit(base, { note: "Ring twice" }, { dryRun });
  assert(!late.ok && late.error.code === "stale_version" && late.conflict?.current.note === "Ring twice");
});

test("a dry run that may have written is an error, and is not sent again", async () => {
  let sent = 0;
  const careless: typeof fetch = async (request) => {
    sent++;
    const { url, method, headers } = request as Request;
    return fetch(url.replace("?dry_run=true", ""), { method, headers }); // drops what it does not know
  };
  const { id } = unwrap(await as("staff").pickups.create(order));
  const tried = await as("staff", { fetch: careless }).pickups.submit(id, { dryRun });
  assert(!tried.ok && tried.error.code === "no_answer");
  assert.equal(sent, 1);
});

test("a dry run is sent again as one, and takes no removal for its own", async () => {
  let sent = 0;
  const losing: typeof fetch = async (request) => {
    assert.equal(new URL((request as Request).url).searchParams.get("dry_run"), "true");
    const answer = await fetch(request);
    if (sent++ % 2 === 0) throw new TypeError("the answer was lost");
    return answer;
  };
  const admin = as("admin");
  const lossy = as("admin", { fetch: losing, firstPause: 1, longestPause: 1 });
  const user = unwrap(await admin.sessions.get()).user.id;
  const { id } = unwrap(await admin.users.addPhoneNumber(user, { number: "+14155550142" }));
  const tried = await lossy.users.removePhoneNumber(user, id, { dryRun });
  assert(tried.ok && tried.dryRun && tried.value === undefined);
  unwrap(await admin.users.removePhoneNumber(user, id)); // it is still there
  const gone = await lossy.users.removePhoneNumber(user, id, { dryRun });
  assert(!gone.ok && gone.error.code === "not_found");
  assert.equal(sent, 4);
});

test("what cannot be tried is not sent, and does not compile", async () => {
  const nobody = createWaybill({ baseUrl: "http://127.0.0.1:1" });
  const credentials = { tenant: "t", email: "e@example.com", password: "p" };
  // @ts-expect-error: a login cannot be tried
  await assert.rejects(nobody.sessions.login(credentials, { dryRun }), /no dry run/);
  // @ts-expect-error: a read writes nothing
  const read = () => nobody.pickups.get(randomUUID(), { dryRun });
  assert(read);
});

test("a mock answers a dry run as one, and keeps no row of it", async (t) => {
  const origin = "https://waybill.example";
  const mocks = setupServer(...waybillHandlers({ origin }).handlers);
  mocks.listen({ onUnhandledRequest: "bypass" });
  t.after(() => mocks.close());
  const waybill = createWaybill({ baseUrl: origin, token: "x" });
  const id = randomUUID();
  const tried = await waybill.pickups.edit({ ...unwrap(await waybill.pickups.get(id)) }, { note: "Ring" }, { dryRun });
  assert(tried.ok && tried.dryRun && tried.value.note === "Ring");
  assert.notEqual(unwrap(await waybill.pickups.get(id)).note, "Ring");
  const removed = await waybill.sessions.logout({ dryRun });
  assert(removed.ok && removed.dryRun);
  const real = await waybill.pickups.submit(id);
  assert(real.ok && !real.dryRun);
});
