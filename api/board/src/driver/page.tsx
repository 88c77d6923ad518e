import { type NoAnswer, type Problem, Refused } from "@waybill/client";
import { useCall, useList, useValue } from "@waybill/client/react";
import { useWaybill } from "@waybill/client/react";
import { useQueryClient } from "@tanstack/react-query";
import { type ReactNode, useEffect, useState } from "react";
import { Switch } from "react-aria-components";

import { shortId, timeOf } from "../format";
import { Heading, Instead, More } from "../parts/page";
import { reasonOf, useNotices } from "../parts/notices";
import { AtFacility } from "../parts/zone";
import { Sending } from "../pickup/card";
import { type Pickup, Transitions } from "../pickup/transitions";
import { Link } from "../router";
import { useSession } from "../session";
import { texts } from "../texts";

/** The driver's page, for a phone: what to collect and deliver now. */
export function Driver() {
  const { driverId } = useSession();
  const mine = useList("list-pickups", { status: ["ASSIGNED", "COLLECTED"], sort: "oldest", limit: 50 });
  return (
    <div className="driver-page">
      <Heading title={texts.driver.title}>{texts.driver.title}</Heading>
      {driverId === undefined ? <p className="refused">{texts.driver.notLinked}</p> : <Duty driverId={driverId} />}
      <Instead of={mine} empty={texts.driver.none} />
      <ul className="tasks">
        {mine.data?.map((pickup) => (
          <Task key={pickup.id} pickup={pickup} />
        ))}
      </ul>
      <More of={mine} />
    </div>
  );
}

/** What a driver needs to know of a pickup at a glance, and the step that is next, under a thumb. */
function Task({ pickup }: { pickup: Pickup }) {
  const { id, status, pickup_address, dropoff_address, window_start, window_end, note } = pickup;
  return (
    <li className={`card task s-${status}`}>
      <p className="top">
        <span className={`status s-${status}`}>{texts.status[status]}</span>
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
      {driver.on_duty && <Location driverId={driverId} />}
    </div>
  );
}

const sentEvery = 15_000;

/** Sends where the phone is, while the driver wants it: the browser asks for consent, and the switch ends it. */
function Location({ driverId }: { driverId: string }) {
  const [sharing, setSharing] = useState(false);
  const [said, setSaid] = useState<string>();
  const locate = useCall("locate-driver");
  useEffect(() => {
    if (!sharing) return undefined;
    let last = 0;
    const send = ({ coords: { latitude, longitude }, timestamp }: GeolocationPosition) => {
      if (Date.now() - last < sentEvery) return;
      last = Date.now();
      const located_at = new Date(timestamp).toISOString();
      locate.mutate([driverId, { latitude, longitude, located_at }], {
        onSuccess: () => setSaid(texts.driver.shared(timeOf(located_at))),
        onError: (error) => setSaid(reasonOf(error)),
      });
    };
    const denied = () => {
      setSharing(false);
      setSaid(texts.driver.denied);
    };
    const watch = navigator.geolocation.watchPosition(send, denied, {
      enableHighAccuracy: true,
      maximumAge: 10_000,
    });
    return () => navigator.geolocation.clearWatch(watch);
  }, [sharing, driverId]);
  return (
    <>
      <Switch isSelected={sharing} onChange={setSharing}>
        <span className="switch" aria-hidden="true" />
        {texts.driver.share}
      </Switch>
      <small className="said" role="status">
        {said}
      </small>
    </>
  );
}
