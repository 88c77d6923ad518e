import type { Schema } from "@waybill/client";
import { useList } from "@waybill/client/react";
import { Button } from "react-aria-components";

import { fullTimeOf, spanOf } from "../format";
import { FacilityName, UserName } from "../names";
import { useNow, useTimeOf } from "../now";
import { Heading, Instead, More } from "../parts/page";
import { Link } from "../router";
import { texts } from "../texts";

type Feed = Schema<"Feed">;

const { feeds } = texts.admin;

/** The lists of appointments that a facility's records have sent, and what became of each. */
export function Feeds({ id }: { id: string | undefined }) {
  const facilities = useList("list-facilities", { limit: 50 });
  return (
    <div>
      <Heading title={feeds.title}>{feeds.title}</Heading>
      <div className={id === undefined ? "aside-page" : "aside-page chosen-one"}>
        <nav className="card aside" aria-label={texts.admin.facilities}>
          <h2>{texts.admin.facilities}</h2>
          <Instead of={facilities} empty={feeds.noFacility} />
          <ul className="choices">
            {facilities.data?.map((facility) => (
              <li key={facility.id}>
                <Link to={["feeds", facility.id]} current={facility.id === id}>
                  {facility.name}
                </Link>
              </li>
            ))}
          </ul>
          <More of={facilities} />
        </nav>
        {id === undefined ? <p className="blank">{feeds.choose}</p> : <Lists key={id} id={id} />}
      </div>
    </div>
  );
}

function Lists({ id }: { id: string }) {
  const list = useList("list-feeds", id, { limit: 20 });
  const all = list.data ?? [];
  return (
    <section className="feeds" aria-label={feeds.title}>
      <header className="heading">
        <h2>
          <FacilityName id={id} />
        </h2>
        <Button isPending={list.isFetching} onPress={() => void list.refetch()}>
          {feeds.refresh}
        </Button>
      </header>
      {list.data?.length === 0 ? <p className="blank">{feeds.none}</p> : <Instead of={list} skeleton={5} />}
      {all.length > 0 && <State feeds={all} />}
      <ol className="feed-list">
        {all.map((feed) => (
          <Row key={feed.id} feed={feed} />
        ))}
      </ol>
      <More of={list} />
    </section>
  );
}

/** How the facility's appointments stand: what they are as of, and whether the last list is what made them so. */
function State({ feeds: all }: { feeds: Feed[] }) {
  const now = useNow();
  const timeOf = useTimeOf();
  const ago = ({ created_at }: Feed) => spanOf(now - Date.parse(created_at));
  const last = all.find(({ outcome }) => outcome !== "SUPERSEDED") ?? all[0]!;
  const applied = all.find(({ outcome }) => outcome === "APPLIED");
  const count = (outcome: Feed["outcome"]) => all.filter((feed) => feed.outcome === outcome).length;
  return (
    <div className={`card feed-state o-${last.outcome}`}>
      <p>
        <b>{feeds.last[last.outcome](ago(last))}</b>{" "}
        {applied ? feeds.asOf(timeOf(applied.as_of), ago(applied)) : feeds.neverApplied}
      </p>
      <div className="strip" aria-hidden="true">
        {[...all].reverse().map((feed) => (
          <i key={feed.id} className={`o-${feed.outcome}`} />
        ))}
      </div>
      <small>{feeds.of(all.length, count("APPLIED"), count("SUPERSEDED"), count("REFUSED"))}</small>
    </div>
  );
}

function Row({ feed }: { feed: Feed }) {
  const timeOf = useTimeOf();
  return (
    <li className={`card feed o-${feed.outcome}`}>
      <header>
        <span className="outcome-label">{feeds.outcome[feed.outcome]}</span>
        <time dateTime={feed.created_at} title={fullTimeOf(feed.created_at)}>
          {timeOf(feed.created_at)}
        </time>
        <small>
          {feeds.sentBy} <UserName id={feed.actor_id} /> · {feeds.correct(timeOf(feed.as_of))}
        </small>
      </header>
      {feed.code !== undefined && (
        <p className="why">
          {feeds.code[feed.code] ?? <code>{feed.code}</code>}
          {feed.code === "mass_cancellation" && feeds.wouldCancel(feed.canceled, feed.current_appointments ?? 0)}
        </p>
      )}
      {feed.outcome === "SUPERSEDED" && <p>{feeds.superseded}</p>}
      {feed.outcome === "APPLIED" && <Counts feed={feed} />}
      {feed.errors.length > 0 && <Errors errors={feed.errors} />}
    </li>
  );
}

const counts = ["created", "updated", "canceled", "unchanged"] as const;

/** What a list changed, as figures and as shares of a bar. */
function Counts({ feed }: { feed: Feed }) {
  const withdrawn = feed.not_applied.consent_withdrawn;
  return (
    <>
      <div className="shares" aria-hidden="true">
        {counts.map((name) => feed[name] > 0 && <i key={name} className={name} style={{ flexGrow: feed[name] }} />)}
      </div>
      <ul className="counts">
        {counts.map((name) => (
          <li key={name} className={feed[name] > 0 ? name : `${name} zero`}>
            <b>{feed[name]}</b> {feeds.counts[name]}
          </li>
        ))}
        {withdrawn > 0 && (
          <li className="withdrawn">
            <b>{withdrawn}</b> {feeds.withdrawn}
          </li>
        )}
      </ul>
    </>
  );
}

/** The invalid records, without any value of them: the sender looks there. */
function Errors({ errors }: { errors: Feed["errors"] }) {
  return (
    <details className="errors" open={errors.length <= 5}>
      <summary>{feeds.errors(errors.length)}</summary>
      <table className="table">
        <thead>
          <tr>
            <th scope="col" className="number">
              {feeds.record}
            </th>
            <th scope="col">{feeds.field}</th>
            <th scope="col">{feeds.what}</th>
          </tr>
        </thead>
        <tbody>
          {errors.map(({ record, field, code }, i) => (
            <tr key={i}>
              <td className="number">{record + 1}</td>
              <td>{field ? <code>{field}</code> : feeds.whole}</td>
              <td>{feeds.recordCode[code] ?? <code>{code}</code>}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </details>
  );
}
