import { type Body, createWaybill, unwrap } from "@waybill/client";

import type { Walk } from "./walk.js";

type Asked = { url: string; login: Body<"login">; order: Body<"create-pickup"> };

/** Logs in as staff, and walks a pickup from draft to canceled. */
async function walk({ url, login, order }: Asked): Promise<Walk> {
  const session = unwrap(await createWaybill({ baseUrl: url }).sessions.login(login));
  const waybill = createWaybill({ baseUrl: url, token: () => session.token });

  const idempotencyKey = crypto.randomUUID();
  const draft = unwrap(await waybill.pickups.create(order, { idempotencyKey }));
  const again = await waybill.pickups.create(order, { idempotencyKey });

  const stop = new AbortController();
  const told: string[] = [];
  let opened = () => {};
  const opening = new Promise<void>((resolve) => (opened = resolve));
  const following = (async () => {
    for await (const { event } of waybill.pickups.stream({ signal: stop.signal })) {
      if (event === undefined) opened(); // the first checkpoint
      if (event?.pickup_id === draft.id) told.push(event.transition);
      if (told.length === 2) return;
    }
  })();
  await opening;

  const edited = unwrap(await waybill.pickups.edit(draft, { note: "Ring twice" }));
  const late = await waybill.pickups.edit(draft, { note: "Do not ring" });
  const submitted = unwrap(await waybill.pickups.submit(draft.id));
  const canceled = unwrap(await waybill.pickups.cancel(draft.id, { reason: "Not needed" }));
  await following;
  stop.abort();

  const refused = await waybill.pickups.submit(draft.id);
  const listed = [];
  for await (const pickup of waybill.pickups.list({ limit: 1 })) {
    listed.push(pickup);
    if (pickup.id === draft.id) break;
  }
  return {
    statuses: [draft.status, edited.status, submitted.status, canceled.status, listed.at(-1)!.status],
    told,
    repeated: again.ok && again.replayed,
    conflict: late.ok ? undefined : late.conflict?.current.note ?? undefined,
    refused: refused.ok ? "" : refused.error.code,
  };
}

window.walk = (asked) => walk(asked as Asked);
