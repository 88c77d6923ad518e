import { useQueryClient } from "@tanstack/react-query";
import type { Body, Schema } from "@waybill/client";
import { Refused } from "@waybill/client";
import { useCall, useWaybill } from "@waybill/client/react";
import { type FormEvent, useState } from "react";
import { Button, Form } from "react-aria-components";

import { Field } from "../parts/form";
import { reasonOf, useNotices } from "../parts/notices";
import { texts } from "../texts";
import type { Endpoint } from "./webhooks";

type Event = Schema<"TransitionName">;

const { webhooks } = texts.admin;

/** Returns a function that changes an endpoint as it was read, and returns it as it is then, unless it was refused. */
export function useEdit(endpoint: Endpoint) {
  const waybill = useWaybill();
  const cache = useQueryClient();
  const { refused } = useNotices();
  const [isPending, setPending] = useState(false);
  const save = async (change: Body<"edit-webhook-endpoint">): Promise<Endpoint | undefined> => {
    setPending(true);
    const result = await waybill.webhooks.editEndpoint(endpoint, change);
    for (const read of ["list-webhook-endpoints", "get-webhook-endpoint"]) {
      await cache.invalidateQueries({ queryKey: [read] });
    }
    setPending(false);
    if (result.ok) return result.value;
    refused(new Refused(result.error as Schema<"Problem">));
    return undefined;
  };
  return { save, isPending };
}

export function NewEndpoint({ onMade }: { onMade: (endpoint: Endpoint) => void }) {
  const create = useCall("create-webhook-endpoint");
  const submit = (url: string, events: Event[]) => create.mutate([{ url, events }], { onSuccess: onMade });
  return (
    <Fields
      title={webhooks.add}
      url=""
      events={[]}
      button={webhooks.create}
      hint={webhooks.createHint}
      isPending={create.isPending}
      error={create.error}
      onSubmit={submit}
    />
  );
}

export function EditEndpoint({ endpoint, onClose }: { endpoint: Endpoint; onClose: () => void }) {
  const { save, isPending } = useEdit(endpoint);
  const submit = async (url: string, events: Event[]) => {
    if (await save({ url, events })) onClose();
  };
  return (
    <Fields
      title={webhooks.edit}
      url={endpoint.url}
      events={endpoint.events}
      button={webhooks.save}
      hint={webhooks.editHint}
      isPending={isPending}
      error={null}
      onSubmit={(url, events) => void submit(url, events)}
      onCancel={onClose}
    />
  );
}

type FieldsProps = {
  title: string;
  url: string;
  events: Event[];
  button: string;
  hint: string;
  isPending: boolean;
  error: unknown;
  onSubmit: (url: string, events: Event[]) => void;
  onCancel?: () => void;
};

function Fields({ title, button, hint, isPending, error, onSubmit, onCancel, ...row }: FieldsProps) {
  const [url, setUrl] = useState(row.url);
  const [events, setEvents] = useState(row.events);
  const [all, setAll] = useState(row.events.length === 0);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    onSubmit(url.trim(), all ? [] : events);
  };
  return (
    <Form className="card" onSubmit={submit}>
      <h2>{title}</h2>
      {error !== null && (
        <p className="refused" role="alert">
          {reasonOf(error)}
        </p>
      )}
      <Field
        label={webhooks.url}
        type="url"
        value={url}
        onChange={setUrl}
        isRequired
        hint={webhooks.urlHint}
        placeholder={webhooks.urlBegins}
        autoComplete="off"
      />
      <Events events={events} all={all} setEvents={setEvents} setAll={setAll} />
      <p className="hint">{hint}</p>
      <div className="actions">
        {onCancel && <Button onPress={onCancel}>{webhooks.keep}</Button>}
        <Button type="submit" className="primary" isPending={isPending} isDisabled={!all && events.length === 0}>
          {button}
        </Button>
      </div>
    </Form>
  );
}

type EventsProps = {
  events: Event[];
  all: boolean;
  setEvents: (events: Event[]) => void;
  setAll: (all: boolean) => void;
};

/** Which events are sent. "All" is a choice of its own: it has those that there will be, too. */
function Events({ events, all, setEvents, setAll }: EventsProps) {
  const names = Object.keys(texts.transition) as Event[];
  const toggle = (name: Event) =>
    setEvents(events.includes(name) ? events.filter((one) => one !== name) : [...events, name]);
  return (
    <fieldset className="events">
      <legend>{webhooks.events}</legend>
      <label>
        <input type="radio" name="all" checked={all} onChange={() => setAll(true)} /> {webhooks.all}
      </label>
      <label>
        <input type="radio" name="all" checked={!all} onChange={() => setAll(false)} /> {webhooks.some}
      </label>
      {!all && (
        <div className="some">
          {names.map((name) => (
            <label key={name}>
              <input type="checkbox" checked={events.includes(name)} onChange={() => toggle(name)} />{" "}
              {texts.transition[name]}
            </label>
          ))}
        </div>
      )}
    </fieldset>
  );
}
