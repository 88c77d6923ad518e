import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

import { type Body, unwrap } from "../../ts/dist/src/index.js";
import type { Visit } from "./visit.js";

// What the pages of admins show.

type Records = Exclude<Body<"sync-appointments">, string>;

const hour = 3_600_000;

/** Returns the records of a facility's list: some appointments from a day after a time on. */
function records(now: number, count: number): Records {
  return Array.from({ length: count }, (_, i) => {
    const start = now + 24 * hour + i * (hour / 2);
    return {
      external_id: `slot-${i}`,
      starts_at: new Date(start - (start % hour)).toISOString(),
      ends_at: new Date(start - (start % hour) + hour / 2).toISOString(),
      patient: {
        external_id: `listed-${i}`,
        given_name: "Listed",
        family_name: `Person ${String.fromCharCode(65 + (i % 26))}`,
        birth_date: "1980-01-01",
      },
    };
  });
}

/**
 * Sends lists of the appointments of the demo's clinic that staff do not see, and returns its id: one that is applied,
 * a newer one, an older one, one with invalid records, and one that seems cut short.
 */
export async function feeds(v: Visit): Promise<string> {
  const [own] = unwrap(await v.as("staff").facilities.list().page()).items;
  const { id } = unwrap(await v.as("admin").facilities.list().page()).items.find((f) => f.id !== own?.id)!;
  const outcomes: string[] = [];
  const now = Date.now(); // of all of them: the hour may end meanwhile
  const send = async (list: Records, minutesAgo: number, allow_mass_cancel = false) => {
    const as_of = new Date(now - minutesAgo * 60_000).toISOString();
    const sent = await v.as("dispatcher").appointments.sync(id, list, { as_of, allow_mass_cancel });
    outcomes.push(!sent.ok ? sent.error.code : sent.value.superseded ? "superseded" : "applied");
  };
  await send(records(now, 24), 40, true);
  const moved = records(now, 26).slice(1);
  for (const record of moved.slice(0, 4)) record.status = "ARRIVED";
  await send(moved, 20);
  await send(records(now, 24), 30);
  const wrong = records(now, 26);
  wrong[6]!.patient.birth_date = "01/02/1980";
  wrong[11]!.ends_at = "tomorrow";
  await send(wrong, 10);
  await send(records(now, 2), 5);
  assert.deepEqual(outcomes, ["applied", "applied", "superseded", "validation_failed", "mass_cancellation"]);
  return id;
}

/** A receiver of webhooks on this machine, which answers with a status. */
export async function receiver(status = 204): Promise<{ url: string; got: () => number; close: () => void }> {
  let got = 0;
  const server = createServer((request, response) => {
    got++;
    request.resume().on("end", () => response.writeHead(status).end());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/waybill`, got: () => got, close: () => server.close() };
}

/** Creates an endpoint, has it pinged, and returns its id. */
export async function endpoint(v: Visit, url: string): Promise<string> {
  const { webhooks } = v.as("admin");
  const { id } = unwrap(await webhooks.createEndpoint({ url }));
  unwrap(await webhooks.pingEndpoint(id));
  return id;
}

/**
 * Adds colleagues at the clinics, and a group that sees both, whose id it returns. The admin is in it, and one
 * colleague in none.
 */
export async function colleagues(v: Visit): Promise<string> {
  const { users, groups, facilities } = v.as("admin");
  const ids: string[] = [];
  for (const name of ["Ada Rossi", "Bo Lindqvist", "Chi Nakamura"]) {
    const email = `${name.split(" ")[0]!.toLowerCase()}@demo.example`;
    ids.push(unwrap(await users.create({ name, email, password: "waybill-demo", role: "staff" })).id);
  }
  const [castro] = unwrap(await groups.list().page()).items.filter(({ name }) => name === "Castro");
  const both = unwrap(await groups.create({ name: "Front desk" }));
  for (const { id } of unwrap(await facilities.list().page()).items) unwrap(await groups.addFacility(both.id, id));
  const admin = unwrap(await users.list({ role: "admin" }).page()).items[0]!;
  for (const id of [ids[0]!, admin.id]) unwrap(await groups.addMember(both.id, id));
  unwrap(await groups.addMember(castro!.id, ids[0]!));
  unwrap(await groups.addMember(castro!.id, ids[1]!));
  return both.id;
}
