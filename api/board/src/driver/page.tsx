import { type NoAnswer, type Problem, Refused } from "@waybill/client";
import { useList, useValue, useWaybill } from "@waybill/client/react";
import { useQueryClient } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Switch } from "react-aria-components";

import { shortId } from "../format";
import { useTimeOf } from "../now";
import { Heading, Instead, More } from "../parts/page";
import { useNotices } from "../parts/notices";
import { AtFacility } from "../parts/zone";
import { Sending } from "../pickup/card";
import { useOwnStatuses } from "../pickup/statuses";
import { type Pickup, type Status, Transitions, useRules } from "../pickup/transitions";
import { Link } from "../router";
import { useSession } from "../session";
import { texts } from "../texts";
import { LocationSwitch } from "./location";

/** The driver's page, for a phone: what to collect and deliver now. */
export function Driver() {
  const { driverId } = useSession();
  const rules = useList("list-pickup-transitions");
  const statuses = useOwnStatuses();
  return (
    <div className="driver-page">
      <Heading title={texts.driver.title}>{texts.driver.title}</Heading>
      {driverId === undefined ? <p className="refused">{texts.driver.notLinked}</p> : <Duty driverId={driverId} />}
      {statuses.length > 0 ? <Tasks statuses={statuses} /> : <Instead of={{ ...rules, data: undefined }} />}
    </div>
  );
}

/** The pickups from collecting to delivering, first those that wait for the driver. */
function Tasks({ statuses }: { statuses: Status[] }) {
  const list = useList("list-pickups", { status: statuses, sort: "oldest", limit: 50 });
  const rules = useRules();
  const isMine = ({ status }: Pickup) => rules.some((rule) => rule.from_statuses.includes(status));
  const shown = (list.data ?? []).filter(({ status }) => statuses.includes(status));
  const tasks = [...shown.filter(isMine), ...shown.filter((pickup) => !isMine(pickup))];
  return (
    <>
      <Instead of={{ ...list, data: list.data && tasks }} empty={texts.driver.none} />
      <ul className="tasks">
        {tasks.map((pickup, i) => (
          <Task key={pickup.id} pickup={pickup} isMine={isMine(pickup)} isNext={i === 0} />
        ))}
      </ul>
      <More of={list} />
    </>
  );
}

type TaskProps = { pickup: Pickup; isMine: boolean; isNext: boolean };

/** What a driver needs to know of a pickup at a glance, and the step that is next, under a thumb. */
function Task({ pickup, isMine, isNext }: TaskProps) {
  const { id, status, pickup_address, dropoff_address, window_start, window_end, note } = pickup;
  const timeOf = useTimeOf();
  return (
    <li className={`card task s-${status}`}>
      <p className="top">
        <span>
          <span className={`status s-${status}`}>{texts.status[status]}</span>
          {isMine && isNext && <b className="next-stop">{texts.driver.next}</b>}
        </span>
        <Link to={["pickups", id]}>
          {texts.driver.details} {shortId(id)}
        </Link>
      </p>
      <dl className="stops">
        <Stop name={texts.pickup.from} isNext={status === "ASSIGNED"}>
          {pickup_address}
        </Stop>
        <Stop name={texts.pickup.to} isNext={status !== "ASSIGNED"}>
          {dropoff_address}
        </Stop>
        {window_start && window_end && (
          <Stop name={texts.pickup.window}>
            {timeOf(window_start)} – {timeOf(window_end)}
            <AtFacility id={pickup.facility_id} at={window_start} end={window_end} />
          </Stop>
        )}
        {note && <Stop name={texts.pickup.note}>{note}</Stop>}
      </dl>
      {!isMine && <p className="hint">{texts.driver.others[status] ?? texts.driver.othersNext}</p>}
      <Sending id={id} />
      <div className="transitions">
        <Maps pickup={pickup} />
        <Transitions pickup={pickup} />
      </div>
    </li>
  );
}

function Stop({ name, isNext, children }: { name: string; isNext?: boolean; children: ReactNode }) {
  return (
    <div className={isNext ? "next" : ""}>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

/** Leads to where the pickup goes next in the phone's own app for maps, which learns the address by that. */
function Maps({ pickup }: { pickup: Pickup }): ReactNode {
  const to = pickup.status === "ASSIGNED" ? pickup.pickup_address : pickup.dropoff_address;
  if (!to) return null;
  return (
    <a className="button" href={`geo:0,0?q=${encodeURIComponent(to)}`} rel="noreferrer">
      {texts.driver.navigate}
    </a>
  );
}

function Duty({ driverId }: { driverId: string }) {
  const waybill = useWaybill();
  const cache = useQueryClient();
  const { refused } = useNotices();
  const read = useValue("get-driver", driverId);
  const driver = read.data;
  const change = async (on_duty: boolean) => {
    if (!driver) return;
    const edited = await waybill.drivers.edit(driver, { on_duty }, { merge: () => ({ on_duty }) });
    if (!edited.ok) refused(new Refused<Problem | NoAnswer>(edited.error));
    await cache.invalidateQueries({ queryKey: ["get-driver", driverId] });
  };
  if (!driver) return <Instead of={read} skeleton={1} />;
  return (
    <div className="duty card">
      <Switch isSelected={driver.on_duty} onChange={(on) => void change(on)}>
        <span className="switch" aria-hidden="true" />
        {driver.on_duty ? texts.driver.duty : texts.driver.off}
      </Switch>
      {driver.on_duty && <LocationSwitch />}
    </div>
  );
}
