import { createWaybill } from "@waybill/client";
import { useCall, useList, useStream, useValue, WaybillProvider } from "@waybill/client/react";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { createRoot } from "react-dom/client";

/** The pickups of a dispatcher, newest first, with a button to assign each to the driver. */
function Board({ driver }: { driver: string }) {
  const { state } = useStream();
  const pickups = useList("list-pickups", { limit: 2 });
  const predict = () => ({ status: "ASSIGNED" as const, driver_id: driver });
  const assign = useCall("assign-pickup", { predict });
  const tried = useCall("assign-pickup", { predict, dryRun: true });
  return (
    <main data-state={state}>
      {pickups.data?.map((pickup) => (
        <section key={pickup.id} id={`p-${pickup.id}`}>
          <output>{pickup.status}</output>
          <button onClick={() => assign.mutate([pickup.id, { driver_id: driver }])}>Assign</button>
          <button onClick={() => tried.mutate([pickup.id, { driver_id: driver }])}>Try</button>
        </section>
      ))}
      <p role="status">{tried.data?.status ?? tried.error?.problem.code}</p>
      <p role="alert">{assign.error?.problem.code}</p>
      {pickups.hasNextPage && <button onClick={() => pickups.fetchNextPage()}>More</button>}
      <Driver id={driver} />
    </main>
  );
}

function Driver({ id }: { id: string }) {
  const driver = useValue("get-driver", id);
  return <h1>{driver.data?.name ?? driver.error?.problem.code}</h1>;
}

window.board = ({ url, token, driver }) => {
  const root = document.body.appendChild(document.createElement("div"));
  createRoot(root).render(
    <QueryClientProvider client={new QueryClient()}>
      <WaybillProvider waybill={createWaybill({ baseUrl: url, token })}>
        <Board driver={driver} />
      </WaybillProvider>
    </QueryClientProvider>,
  );
};
