import type { Schema } from "@waybill/client";
import { useList } from "@waybill/client/react";
import { Button } from "react-aria-components";

import { fullTimeOf, shortId, spanOf } from "../format";
import { useNow, useTimeOf } from "../now";
import { Heading, Instead, More } from "../parts/page";
import { Link } from "../router";
import { texts } from "../texts";

const { jobs } = texts.admin;

/** The background work that does not get done. */
export function Jobs() {
  const list = useList("list-stuck-jobs", { limit: 50 });
  const refresh = (
    <Button isPending={list.isFetching} onPress={() => void list.refetch()}>
      {texts.admin.feeds.refresh}
    </Button>
  );
  return (
    <div className="jobs">
      <Heading title={jobs.title} actions={refresh}>
        {jobs.title}
      </Heading>
      {list.data?.length === 0 ? <p className="blank">{jobs.none}</p> : <Instead of={list} skeleton={4} />}
      {list.data && list.data.length > 0 && (
        <section className="card">
          <p className="hint">{jobs.hint}</p>
          <ul className="deliveries">
            {list.data.map((job) => (
              <Row key={job.id} job={job} />
            ))}
          </ul>
          <More of={list} />
        </section>
      )}
    </div>
  );
}

function Row({ job }: { job: Schema<"StuckJob"> }) {
  const now = useNow();
  const timeOf = useTimeOf();
  const { has_ended, last_error, pickup_id, next_try_at, created_at } = job;
  const wait = next_try_at ? Date.parse(next_try_at) - now : 0;
  return (
    <li className={has_ended ? "d-FAILED" : "d-PENDING"}>
      <span className="status">{has_ended ? jobs.ended : jobs.waits}</span>
      <p>
        <b>{jobs.kind[job.kind] ?? job.kind.replaceAll("_", " ")}</b>{" "}
        {pickup_id && <Link to={["pickups", pickup_id]}>{texts.pickup.title(shortId(pickup_id))}</Link>}
        <small>
          <time dateTime={created_at} title={fullTimeOf(created_at)}>
            {timeOf(created_at)}
          </time>
          {" · "}
          {texts.admin.webhooks.attempts(job.tries)}
          {" · "}
          {last_error ? jobs.error[last_error] : (jobs.waitsFor[job.kind] ?? jobs.waitsFor["other"])}
          {next_try_at && ` · ${wait > 60_000 ? texts.admin.webhooks.next(spanOf(wait)) : jobs.soon}`}
        </small>
      </p>
      <code>{jobs.number(job.id)}</code>
    </li>
  );
}
