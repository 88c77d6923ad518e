import type { Query, Schema } from "@waybill/client";
import { useList } from "@waybill/client/react";
import { Button, GridList, GridListItem, isTextDropItem, useDragAndDrop } from "react-aria-components";

import { distanceOf, spanOf } from "../format";
import { useFacilityList } from "../names";
import { useNow } from "../now";
import { useReadAgain } from "../parts/again";
import { Instead, More } from "../parts/page";
import { type Pickup, useRules, useTransition } from "../pickup/transitions";
import { texts } from "../texts";
import { pickupType } from "./column";
import { PlaneMap } from "./map";

type Driver = Schema<"ListedDriver">;
type State = "free" | "busy" | "off_duty";

/** How often drivers are read again: three short lists, the least of what a dispatcher's page asks. */
const readEvery = 5_000;

/** The drivers by what they do now, the nearest to the chosen pickup first. A card is dropped on one, or assigned. */
export function Drivers({ chosen }: { chosen: Pickup | undefined }) {
  const facilityList = useFacilityList();
  const facilities = facilityList.data ?? [];
  const near = chosen && placeOf(chosen, facilities);
  const query: Query<"list-drivers"> = near ? { near_latitude: near[0], near_longitude: near[1] } : {};
  const free = useList("list-drivers", { ...query, state: "free" });
  const busy = useList("list-drivers", { ...query, state: "busy" });
  const off = useList("list-drivers", { ...query, state: "off_duty" });
  // The stream tells of pickups alone: who goes off duty, and where each one is, would be shown as it was.
  useReadAgain(readEvery, free, busy, off);
  return (
    <section className="drivers" aria-label={texts.drivers.title}>
      <h2>{texts.drivers.title}</h2>
      <PlaneMap
        facilities={facilities}
        free={free.data ?? []}
        busy={busy.data ?? []}
        chosen={near}
        isRead={![facilityList, free, busy].some(({ isPending }) => isPending)}
      />
      <DriverList state="free" list={free} chosen={chosen} />
      <DriverList state="busy" list={busy} chosen={chosen} />
      <DriverList state="off_duty" list={off} chosen={undefined} />
    </section>
  );
}

/** Where a pickup is collected: its own place, or its facility's. */
function placeOf(pickup: Pickup, facilities: Schema<"Facility">[]): [number, number] | undefined {
  const { pickup_latitude, pickup_longitude } = pickup;
  if (typeof pickup_latitude === "number" && typeof pickup_longitude === "number") {
    return [pickup_latitude, pickup_longitude];
  }
  const facility = facilities.find(({ id }) => id === pickup.facility_id);
  return facility && [facility.latitude, facility.longitude];
}

type ListProps = {
  state: State;
  list: ReturnType<typeof useList<"list-drivers">>;
  chosen: Pickup | undefined;
};

function DriverList({ state, list, chosen }: ListProps) {
  const assign = useAssign();
  const drivers = list.data ?? [];
  const { dragAndDropHooks } = useDragAndDrop({
    acceptedDragTypes: [pickupType],
    shouldAcceptItemDrop: (target) => target.dropPosition === "on",
    getDropOperation: (target) => (target.type === "item" && target.dropPosition === "on" ? "move" : "cancel"),
    onItemDrop: async ({ items, target }) => {
      for (const item of items) {
        if (isTextDropItem(item)) assign?.(await item.getText(pickupType), String(target.key));
      }
    },
  });
  const mayAssign = assign && chosen && assign.from.includes(chosen.status);
  return (
    <section className={`driver-list ${state}`} data-state={state}>
      <h3>
        {texts.drivers[state]}{" "}
        <output>{list.data && (list.hasNextPage ? `${drivers.length}+` : drivers.length)}</output>
      </h3>
      {drivers.length === 0 ? (
        <Instead of={list} empty={texts.drivers.none[state]} skeleton={1} />
      ) : (
        <GridList
          aria-label={texts.drivers[state]}
          className="rows"
          {...(state !== "off_duty" && { dragAndDropHooks })}
        >
          {drivers.map((driver) => (
            <GridListItem key={driver.id} id={driver.id} textValue={driver.name} className="row driver">
              <span className="name">{driver.name}</span>
              <Seen driver={driver} />
              {mayAssign && (
                <Button
                  className="small"
                  aria-label={texts.drivers.assign(driver.name)}
                  onPress={() => assign(chosen.id, driver.id)}
                >
                  {texts.transition.assign}
                </Button>
              )}
            </GridListItem>
          ))}
        </GridList>
      )}
      <More of={list} />
    </section>
  );
}

function Seen({ driver }: { driver: Driver }) {
  const now = useNow();
  const { distance_meters, located_at } = driver;
  const ago = located_at && now - Date.parse(located_at);
  return (
    <small>
      {typeof distance_meters === "number" && <b>{distanceOf(distance_meters)}</b>}{" "}
      {typeof ago !== "number"
        ? texts.drivers.never
        : ago < 60_000
          ? texts.drivers.seenNow
          : texts.drivers.seen(spanOf(ago))}
    </small>
  );
}

/** Assigns a pickup to a driver, where the viewer's role may. */
function useAssign() {
  const rule = useRules().find((r) => r.transition === "assign");
  const make = useTransition(
    rule ?? { transition: "assign", to_status: "ASSIGNED", has_driver: true, roles: [], from_statuses: [] },
  );
  if (!rule) return undefined;
  const assign = (pickupId: string, driverId: string) => make.run(pickupId, { driver_id: driverId });
  return Object.assign(assign, { from: rule.from_statuses });
}
