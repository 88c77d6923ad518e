import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";

import { createWaybill, unwrap, type Waybill } from "../../ts/dist/src/index.js";
import type { Server } from "../../ts/dist/test/server.js";

// Words and ids that may not be where they are found. Every visit plants them, and searches all that its pages get.

/** What is planted: what nobody may be told, what those of one clinic may not, and what is of patients. */
export type Canaries = {
  /** Of another tenant: nobody may be told of it. */
  tenant: string[];
  /** Of another facility, which staff and drivers are not told of. */
  facility: string[];
  /** Of patients, also of those who may be shown: not in an address, a title, a storage, or a log. */
  patients: string[];
  /** Has something happen to what is foreign, which streams must keep to themselves. */
  stir: () => Promise<void>;
};

const root = join(import.meta.dirname, "../../..");

/** Plants canaries beside what the demo tenant has, and in a tenant of their own. */
export async function plant(
  server: Server,
  as: (role: "admin" | "dispatcher" | "staff") => Waybill,
): Promise<Canaries> {
  const outland = await otherTenant(server);
  const [own] = unwrap(await as("staff").facilities.list().page()).items;
  const foreign = unwrap(await as("admin").facilities.list().page()).items.find(({ id }) => id !== own?.id);
  const [account] = unwrap(await as("admin").accounts.list().page()).items;
  if (!own || !foreign || !account) throw new Error("the demo tenant has no second clinic");
  const dispatcher = as("dispatcher");
  const stranger = {
    facility_id: foreign.id,
    given_name: "Yevgenia",
    family_name: "Foreignborn",
    phone: "+14155559922",
  };
  const patient = {
    facility_id: own.id,
    given_name: "Ottoline",
    family_name: "Quackenbush",
    phone: "+14155559933",
  };
  const foreignOrder = {
    facility_id: foreign.id,
    account_id: account.id,
    price_cents: 1,
    pickup_address: "66 Canary Wharf",
    dropoff_address: "67 Canary Wharf",
    note: "a canary sings",
  };
  const { id: strangerId } = unwrap(await dispatcher.patients.create({ ...stranger, birth_date: "1971-01-01" }));
  const { id: patientId } = unwrap(await dispatcher.patients.create({ ...patient, birth_date: "1972-02-02" }));
  const { id } = unwrap(await dispatcher.pickups.create({ ...foreignOrder, patient_id: strangerId }));
  const ownOrder = {
    ...foreignOrder,
    facility_id: own.id,
    pickup_address: "68 Own St",
    dropoff_address: "69 Own St",
  };
  unwrap(await dispatcher.pickups.create({ ...ownOrder, note: "own", patient_id: patientId }));
  const facility = [foreign.id, foreign.name, strangerId, id, "Yevgenia", "Foreignborn", "a canary sings"];
  const patients = unwrap(await dispatcher.patients.list({ limit: 200 }).page()).items;
  const names = patients.flatMap(({ given_name, family_name }) => [
    `${given_name} ${family_name}`,
    `${family_name}, ${given_name}`,
  ]);
  const phones = patients.flatMap(({ phone }) => phone ?? []);
  const words = ["Ottoline", "Quackenbush", "Yevgenia", "Foreignborn"];
  return {
    tenant: outland.canaries,
    facility,
    patients: [...names, ...phones, ...words],
    stir: async () => {
      outland.canaries.push(await passing(outland.waybill, outland.order));
      facility.push(await passing(dispatcher, foreignOrder));
    },
  };
}

type Order = Parameters<Waybill["pickups"]["create"]>[0];

/** Creates a pickup, which is submitted and canceled: two events. Returns its id. */
async function passing(waybill: Waybill, order: Order): Promise<string> {
  const { id } = unwrap(await waybill.pickups.create(order));
  unwrap(await waybill.pickups.submit(id));
  unwrap(await waybill.pickups.cancel(id, {}));
  return id;
}

/** Creates a tenant with a clinic, a patient, a driver and a pickup. */
async function otherTenant({ url, database_url }: Server) {
  const [email, password] = ["admin@outland.example", "waybill-outland"];
  const flags = ["--slug", "outland", "--name", "Outland Couriers", "--admin-email", email, "--bcrypt-cost", "4"];
  const created = promisify(execFile)("go", ["run", "./cmd/waybill", "tenant", ...flags], {
    cwd: root,
    env: { ...process.env, DATABASE_URL: database_url },
  });
  created.child.stdin!.end(`${password}\n`);
  await created;
  const enter = async (email: string) => {
    const credentials = { tenant: "outland", email, password };
    const { token, user } = unwrap(await createWaybill({ baseUrl: url }).sessions.login(credentials));
    return { waybill: createWaybill({ baseUrl: url, token }), token, user };
  };
  const { waybill, token, user } = await enter(email);
  const place = { address: "99 Outland Way", latitude: 37.7, longitude: -122.4 };
  const facility = unwrap(await waybill.facilities.create({ name: "Outland Clinic", ...place }));
  const group = unwrap(await waybill.groups.create({ name: "Outland group" }));
  unwrap(await waybill.groups.addFacility(group.id, facility.id));
  const colleague = { name: "Outland staff", email: "staff@outland.example", password, role: "staff" } as const;
  const { id: staffId } = unwrap(await waybill.users.create(colleague));
  unwrap(await waybill.groups.addMember(group.id, staffId));
  const staff = (await enter(colleague.email)).waybill;
  const account = unwrap(
    await waybill.accounts.create({ name: "Outland account", currency: "USD", all_facilities: true }),
  );
  unwrap(await waybill.accounts.depositToAccount(account.id, { amount_cents: 100_000 }));
  const driver = unwrap(await waybill.drivers.create({ name: "Outland driver", on_duty: true }));
  const patient = unwrap(
    await staff.patients.create({
      facility_id: facility.id,
      given_name: "Xanthippe",
      family_name: "Outlander",
      birth_date: "1970-01-01",
      phone: "+14155559911",
    }),
  );
  const order = {
    facility_id: facility.id,
    account_id: account.id,
    price_cents: 1,
    pickup_address: "98 Outland Way",
    dropoff_address: "97 Outland Way",
    note: "an outland note",
  };
  const { id } = unwrap(await staff.pickups.create({ ...order, patient_id: patient.id }));
  unwrap(await staff.pickups.submit(id));
  const ids = [user.id, staffId, facility.id, group.id, account.id, driver.id, patient.id, id];
  return {
    waybill: staff,
    order,
    canaries: ["Outland", "an outland note", "Xanthippe", "+14155559911", token, ...ids],
  };
}
