import { createWaybill, type Schema } from "@waybill/client";
import { waybillHandlers } from "@waybill/client/msw";
import { useCall, useList, WaybillProvider } from "@waybill/client/react";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { setupWorker } from "msw/browser";
import { createRoot } from "react-dom/client";

const origin = "https://waybill.example";
const mock = waybillHandlers({ origin });

/** The pickups that wait for a driver, with a button to assign each. */
function Board() {
  const waiting = useList("list-pickups", { status: ["SUBMITTED"] });
  const assign = useCall("assign-pickup");
  return (
    <main>
      {waiting.data?.map((pickup) => (
        <section key={pickup.id}>
          <h2>{pickup.pickup_address}</h2>
          <button onClick={() => assign.mutate([pickup.id, { driver_id: pickup.id }])}>Assign</button>
        </section>
      ))}
      <output>{assign.data?.status}</output>
      <p role="alert">{waiting.error?.problem.code ?? assign.error?.problem.code}</p>
    </main>
  );
}

/** What the page's test says of the server. */
window.mock = {
  list: (addresses) => {
    const shown = (example: Schema<"Pickup">, address: string, i: number) => ({
      ...example,
      id: `01234567-89ab-7cde-8f01-00000000000${i}`,
      pickup_address: address,
    });
    return createWaybill({ baseUrl: origin }).pickups.get("01234567-89ab-7cde-8f01-23456789abcd").then((example) => {
      if (!example.ok) throw new Error(example.error.code);
      mock.respond("list-pickups", { value: { items: addresses.map((a, i) => shown(example.value, a, i)) } });
    });
  },
  refuseOnce: () => mock.respond("assign-pickup", { code: "driver_busy" }, { times: 1 }),
  refuseList: () => mock.respond("list-pickups", { code: "unauthenticated" }),
  show: () => {
    createRoot(document.body.appendChild(document.createElement("div"))).render(
      <QueryClientProvider client={new QueryClient()}>
        <WaybillProvider waybill={createWaybill({ baseUrl: origin, token: "x" })}>
          <Board />
        </WaybillProvider>
      </QueryClientProvider>,
    );
  },
};

// @ts-expect-error: list-pickups does not declare this code
export const undeclared = () => mock.respond("list-pickups", { code: "driver_busy" });

await setupWorker(...mock.handlers).start({ onUnhandledRequest: "bypass", quiet: true });
document.body.dataset["mocked"] = "true";
