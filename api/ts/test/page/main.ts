import { type Body, createWaybill, unwrap, type Waybill } from "@waybill/client";

import type { Asked, Edits, Walk } from "./walk.js";

/** Walks the workflow deliver-pickup of the Arazzo document: its operations, in its order. */
async function walk({ url, logins }: Asked): Promise<Walk> {
  const [staff, dispatcher, hub] = [
    await signIn(url, logins.staff),
    await signIn(url, logins.dispatcher),
    await signIn(url, logins.hub),
  ];
  const [facility] = unwrap(await staff.facilities.list().page()).items;
  const [account] = unwrap(await staff.accounts.list().page()).items;
  if (!facility || !account) throw new Error("the demo tenant has no facility, or no account");
  const patient = unwrap(
    await staff.patients.create({
      facility_id: facility.id,
      given_name: "Grace",
      family_name: "Example",
      birth_date: "1990-05-17",
    }),
  );
  const driver = unwrap(await dispatcher.drivers.create({ name: "Katherine", on_duty: true }));
  const draft = unwrap(
    await staff.pickups.create({
      facility_id: facility.id,
      account_id: account.id,
      patient_id: patient.id,
      price_cents: 3000,
      pickup_address: "2401 Mission St, San Francisco",
      dropoff_address: "1 Lab Way, South San Francisco",
    }),
  );
  const told = await follow(dispatcher, draft.id, "deliver");
  const { id } = draft;
  const moved = [
    unwrap(await staff.pickups.submit(id)),
    unwrap(await dispatcher.pickups.assign(id, { driver_id: driver.id })),
    unwrap(await dispatcher.pickups.collect(id)),
    unwrap(await hub.pickups.receive(id)),
    unwrap(await hub.pickups.pack(id)),
    unwrap(await hub.pickups.ship(id)),
    unwrap(await hub.pickups.deliver(id)),
  ];
  const again = await hub.pickups.deliver(id);
  const recorded = unwrap(await staff.pickups.listEvents(id).page()).items;
  return {
    statuses: [draft, ...moved].map(({ status }) => status),
    told: await told.all,
    recorded: recorded.map(({ transition }) => transition),
    refused: again.ok || again.error.code === "no_answer" ? "" : again.error.code,
  };
}

/** Logs in, and returns a client with the token. */
async function signIn(url: string, login: Body<"login">): Promise<Waybill> {
  const session = unwrap(await createWaybill({ baseUrl: url }).sessions.login(login));
  return createWaybill({ baseUrl: url, token: () => session.token });
}

/** Follows the stream; returns, once it is open, the transitions of a pickup that it will have told, up to the last. */
async function follow(waybill: Waybill, id: string, last: string): Promise<{ all: Promise<string[]> }> {
  const told: string[] = [];
  let opened = () => {};
  const opening = new Promise<void>((resolve) => (opened = resolve));
  const stop = new AbortController();
  const all = (async () => {
    for await (const { event } of waybill.pickups.stream({ signal: stop.signal })) {
      if (event === undefined) opened(); // the first checkpoint
      if (event?.pickup_id !== id) continue;
      told.push(event.transition);
      if (event.transition === last) break;
    }
    stop.abort();
    return told;
  })();
  await Promise.race([opening, all]);
  return { all };
}

/** Repeats a create, edits the draft from two versions, cancels it, and reads it in a list. */
async function edits({ url, logins }: Asked): Promise<Edits> {
  const waybill = await signIn(url, logins.staff);
  const [facility] = unwrap(await waybill.facilities.list().page()).items;
  const [account] = unwrap(await waybill.accounts.list().page()).items;
  if (!facility || !account) throw new Error("the demo tenant has no facility, or no account");
  const order = {
    facility_id: facility.id,
    account_id: account.id,
    price_cents: 100,
    pickup_address: "2401 Mission St",
    dropoff_address: "1 Lab Way",
  };
  const idempotencyKey = crypto.randomUUID();
  const draft = unwrap(await waybill.pickups.create(order, { idempotencyKey }));
  const again = await waybill.pickups.create(order, { idempotencyKey });
  const edited = unwrap(await waybill.pickups.edit(draft, { note: "Ring twice" }));
  const late = await waybill.pickups.edit(draft, { note: "Do not ring" });
  const canceled = unwrap(await waybill.pickups.cancel(draft.id, { reason: "Not needed" }));
  const listed = [];
  for await (const pickup of waybill.pickups.list({ limit: 1 })) {
    listed.push(pickup);
    if (pickup.id === draft.id) break;
  }
  return {
    statuses: [draft.status, edited.status, canceled.status, listed.at(-1)!.status],
    repeated: again.ok && again.replayed,
    conflict: late.ok ? undefined : late.conflict?.current.note ?? undefined,
  };
}

window.walk = walk;
window.edits = edits;
