import { useQueryClient } from "@tanstack/react-query";
import type { Schema } from "@waybill/client";
import { useCall, useList } from "@waybill/client/react";
import { useEffect } from "react";
import { Button } from "react-aria-components";

import { fullTimeOf, shortId, spanOf } from "../format";
import { useNow, useTimeOf } from "../now";
import { useNotices } from "../parts/notices";
import { Instead, More } from "../parts/page";
import { Link, useQueryParameters } from "../router";
import { texts } from "../texts";

type Delivery = Schema<"WebhookDelivery">;
type Status = Schema<"WebhookDeliveryStatus">;

const { webhooks } = texts.admin;
const filters: (Status | undefined)[] = [undefined, "PENDING", "DELIVERED", "FAILED"];

const lookAgain = 3_000; // milliseconds, while something is pending

/** What was sent to an endpoint and what will be, newest first; the dead letters are those that failed. */
export function Deliveries({ id }: { id: string }) {
  const [query] = useQueryParameters();
  const status = filters.find((one) => one === query.get("status"));
  const list = useList("list-webhook-deliveries", id, { ...(status && { status: [status] }), limit: 25 });
  const cache = useQueryClient();
  const waits = list.data?.some((delivery) => delivery.status === "PENDING") ?? false;
  useEffect(() => {
    if (!waits) return undefined;
    const read = () => void cache.invalidateQueries({ queryKey: ["list-webhook-deliveries", id] });
    const timer = setInterval(read, lookAgain);
    return () => clearInterval(timer);
  }, [waits, id, cache]);
  return (
    <section className="card" aria-label={webhooks.deliveries}>
      <header className="heading">
        <h2>{webhooks.deliveries}</h2>
        <nav className="tabs" aria-label={webhooks.filter}>
          {filters.map((one) => (
            <Link
              key={one ?? ""}
              to={["webhooks", id]}
              query={{ status: one }}
              current={one === status}
              className={one ? `d-${one}` : ""}
            >
              {one ? webhooks.status[one] : texts.dispatch.all}
            </Link>
          ))}
        </nav>
      </header>
      {list.data?.length === 0 ? (
        <p className="blank">{webhooks.empty[status ?? "ALL"]}</p>
      ) : (
        <Instead of={list} skeleton={4} />
      )}
      <ul className="deliveries">
        {list.data?.map((delivery) => (
          <Row key={delivery.id} delivery={delivery} />
        ))}
      </ul>
      <More of={list} />
    </section>
  );
}

function Row({ delivery }: { delivery: Delivery }) {
  const { status, pickup_id, created_at, endpoint_id, id } = delivery;
  const { done, refused } = useNotices();
  const redeliver = useCall("redeliver-webhook");
  const timeOf = useTimeOf();
  const again = () =>
    redeliver.mutate([endpoint_id, id], { onSuccess: () => done(webhooks.redelivered), onError: refused });
  return (
    <li className={`d-${status}`}>
      <span className="status">{webhooks.status[status]}</span>
      <p>
        <b>{eventOf(delivery)}</b>{" "}
        {pickup_id && <Link to={["pickups", pickup_id]}>{texts.pickup.title(shortId(pickup_id))}</Link>}
        <small>
          <time dateTime={created_at} title={fullTimeOf(created_at)}>
            {timeOf(created_at)}
          </time>
          <Tries delivery={delivery} />
        </small>
      </p>
      {status !== "PENDING" && (
        <Button className="small" isPending={redeliver.isPending} onPress={again}>
          {status === "FAILED" ? webhooks.redeliver : webhooks.sendAgain}
        </Button>
      )}
    </li>
  );
}

function eventOf({ type }: Delivery): string {
  const [, name = type] = type.split(".");
  return name === "ping" ? webhooks.pingEvent : (texts.done[name as keyof typeof texts.done] ?? name);
}

/** How often it was tried, why the last try failed or how long it took, and when the next one is. */
function Tries({ delivery }: { delivery: Delivery }) {
  const now = useNow();
  const { status, attempts, reason, http_status, duration_ms, next_attempt_at } = delivery;
  const wait = next_attempt_at ? Date.parse(next_attempt_at) - now : 0;
  const parts = [
    attempts > 0 && webhooks.attempts(attempts),
    reason ? reasonText(reason) : http_status && webhooks.answered(http_status),
    status === "DELIVERED" && duration_ms !== null && webhooks.took(duration_ms),
    status === "PENDING" && attempts > 0 && wait > 60_000 && webhooks.next(spanOf(wait)),
  ];
  return <>{parts.filter(Boolean).map((part) => ` · ${part}`)}</>;
}

function reasonText(reason: string): string {
  const status = /^status_(\d+)$/.exec(reason)?.[1];
  return status ? webhooks.answered(Number(status)) : (webhooks.reason[reason] ?? reason.replaceAll("_", " "));
}
