import type { Schema } from "@waybill/client";
import { useCall, useList, useValue } from "@waybill/client/react";
import { useState } from "react";
import { Button } from "react-aria-components";

import { fullTimeOf } from "../format";
import { useTimeOf } from "../now";
import { useNotices } from "../parts/notices";
import { Heading, Instead } from "../parts/page";
import { Link, open } from "../router";
import { texts } from "../texts";
import { Deliveries } from "./deliveries";
import { EditEndpoint, NewEndpoint, useEdit } from "./endpoint";
import { Ask, Secret } from "./secret";

export type Endpoint = Schema<"WebhookEndpoint">;

const { webhooks } = texts.admin;

/** The addresses to which the events of pickups are sent, and what became of them. */
export function Webhooks({ id }: { id: string | undefined }) {
  const list = useList("list-webhook-endpoints", { limit: 50 }); // a tenant has 20 at most
  const [secret, setSecret] = useState<string>();
  const made = (endpoint: Endpoint) => {
    setSecret(endpoint.secret);
    open(["webhooks", endpoint.id]);
  };
  return (
    <div>
      <Heading title={webhooks.title}>{webhooks.title}</Heading>
      <div className={id === undefined ? "aside-page" : "aside-page chosen-one"}>
        <nav className="card aside" aria-label={webhooks.endpoints}>
          <h2>{webhooks.endpoints}</h2>
          <Instead of={list} empty={webhooks.none} />
          <ul className="choices">
            {list.data?.map((endpoint) => (
              <li key={endpoint.id}>
                <Link to={["webhooks", endpoint.id]} current={endpoint.id === id}>
                  <Address url={endpoint.url} />
                  <small>{eventsOf(endpoint)}</small>
                </Link>
              </li>
            ))}
          </ul>
          <Link to={["webhooks", "new"]} className="button" current={id === "new"}>
            {webhooks.add}
          </Link>
        </nav>
        {id === undefined ? (
          <p className="blank">{webhooks.choose}</p>
        ) : id === "new" ? (
          <NewEndpoint onMade={made} />
        ) : (
          <OneEndpoint key={id} id={id} showSecret={setSecret} />
        )}
      </div>
      <Secret secret={secret} onClose={() => setSecret(undefined)} />
    </div>
  );
}

/** The host, then the rest: endpoints of one host differ at their end. */
function Address({ url }: { url: string }) {
  if (!URL.canParse(url)) return <b>{url}</b>;
  const { protocol, host, pathname, search } = new URL(url);
  return (
    <span className="address">
      {protocol !== "https:" && `${protocol}//`}
      <b>{host}</b>
      {pathname === "/" && search === "" ? "" : pathname + search}
    </span>
  );
}

function eventsOf({ events }: Endpoint): string {
  return events.length === 0 ? webhooks.all : events.map((name) => texts.transition[name] ?? name).join(", ");
}

function OneEndpoint({ id, showSecret }: { id: string; showSecret: (secret: string | undefined) => void }) {
  const read = useValue("get-webhook-endpoint", id);
  const [editing, setEditing] = useState(false);
  if (!read.data) {
    return (
      <section className="card">
        <Instead of={read} skeleton={4} />
      </section>
    );
  }
  return (
    <div className="endpoint">
      {editing ? (
        <EditEndpoint endpoint={read.data} onClose={() => setEditing(false)} />
      ) : (
        <Facts endpoint={read.data} edit={() => setEditing(true)} showSecret={showSecret} />
      )}
      <Deliveries id={id} />
    </div>
  );
}

type FactsProps = { endpoint: Endpoint; edit: () => void; showSecret: (secret: string | undefined) => void };

function Facts({ endpoint, edit, showSecret }: FactsProps) {
  const { id, former_secret_ends_at } = endpoint;
  const { done, refused } = useNotices();
  const ping = useCall("ping-webhook-endpoint");
  const remove = useCall("delete-webhook-endpoint");
  const { save, isPending } = useEdit(endpoint);
  const timeOf = useTimeOf();
  return (
    <section className="card" aria-label={endpoint.url}>
      <h2>
        <Address url={endpoint.url} />
      </h2>
      <dl className="facts">
        <div>
          <dt>{webhooks.events}</dt>
          <dd>{eventsOf(endpoint)}</dd>
        </div>
        <div>
          <dt>{webhooks.since}</dt>
          <dd>{timeOf(endpoint.created_at)}</dd>
        </div>
        {former_secret_ends_at && Date.parse(former_secret_ends_at) > Date.now() && (
          <div>
            <dt>{webhooks.formerSecret}</dt>
            <dd>{fullTimeOf(former_secret_ends_at)}</dd>
          </div>
        )}
      </dl>
      <div className="transitions">
        <Button
          className="primary"
          isPending={ping.isPending}
          onPress={() => ping.mutate([id], { onSuccess: () => done(webhooks.pinged), onError: refused })}
        >
          {webhooks.ping}
        </Button>
        <Button onPress={edit}>{webhooks.edit}</Button>
        <Ask
          button={webhooks.rotate}
          title={webhooks.rotateTitle}
          text={webhooks.rotateText}
          isPending={isPending}
          run={async () => showSecret((await save({ rotate_secret: true }))?.secret)}
        />
        <Ask
          danger
          button={webhooks.remove}
          title={webhooks.removeTitle}
          text={webhooks.removeText}
          isPending={remove.isPending}
          run={() => remove.mutate([id], { onSuccess: () => open(["webhooks"]), onError: refused })}
        />
      </div>
    </section>
  );
}
