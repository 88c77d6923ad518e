import { useQueryClient } from "@tanstack/react-query";
import type { Schema } from "@waybill/client";
import { Refused } from "@waybill/client";
import { useCall, useList, useValue, useWaybill } from "@waybill/client/react";
import { type FormEvent, useState } from "react";
import { Button, Form } from "react-aria-components";

import { Field } from "../parts/form";
import { reasonOf, useNotices } from "../parts/notices";
import { Heading, Instead, More } from "../parts/page";
import { Link, open } from "../router";
import { texts } from "../texts";

type Facility = Schema<"Facility">;

const words = texts.admin.places;

/** The facilities of the tenant: where pickups are collected. */
export function Facilities({ id }: { id: string | undefined }) {
  const list = useList("list-facilities", { limit: 50 });
  return (
    <div>
      <Heading title={texts.admin.facilities}>{texts.admin.facilities}</Heading>
      <div className={id === undefined ? "aside-page" : "aside-page chosen-one"}>
        <nav className="card aside" aria-label={texts.admin.facilities}>
          <Instead of={list} empty={texts.admin.feeds.noFacility} />
          <ul className="choices">
            {list.data?.map((facility) => (
              <li key={facility.id}>
                <Link to={["facilities", facility.id]} current={facility.id === id}>
                  <span className="address">{facility.name}</span>
                  <small>{facility.address}</small>
                </Link>
              </li>
            ))}
          </ul>
          <More of={list} />
          <Link to={["facilities", "new"]} className="button" current={id === "new"}>
            {words.add}
          </Link>
        </nav>
        {id === undefined ? (
          <p className="blank">{words.choose}</p>
        ) : id === "new" ? (
          <NewFacility />
        ) : (
          <OneFacility key={id} id={id} />
        )}
      </div>
    </div>
  );
}

function NewFacility() {
  const create = useCall("create-facility");
  const { done } = useNotices();
  const submit = ({ max_cancel_share: _, time_zone, ...fields }: Values) =>
    create.mutate([{ ...fields, ...(time_zone !== null && { time_zone }) }], {
      onSuccess: ({ id, name }) => {
        done(words.added(name));
        open(["facilities", id]);
      },
    });
  return (
    <Fields
      title={words.add}
      facility={undefined}
      button={texts.admin.create}
      isPending={create.isPending}
      error={create.error}
      onSubmit={submit}
    />
  );
}

function OneFacility({ id }: { id: string }) {
  const read = useValue("get-facility", id);
  const waybill = useWaybill();
  const cache = useQueryClient();
  const { done } = useNotices();
  const [isPending, setPending] = useState(false);
  const [error, setError] = useState<unknown>(null);
  if (!read.data) {
    return (
      <section className="card">
        <Instead of={read} skeleton={4} />
      </section>
    );
  }
  const row = read.data;
  const submit = async (change: Values) => {
    setPending(true);
    const result = await waybill.facilities.edit(row, change);
    for (const key of ["get-facility", "list-facilities"]) await cache.invalidateQueries({ queryKey: [key] });
    setPending(false);
    setError(result.ok ? null : new Refused(result.error as Schema<"Problem">));
    if (result.ok) done(words.saved);
  };
  return (
    <div className="endpoint">
      <Fields
        key={row.version}
        title={row.name}
        facility={row}
        button={words.save}
        isPending={isPending}
        error={error}
        onSubmit={(change) => void submit(change)}
      />
      <p className="hint">
        <Link to={["feeds", id]}>{words.feeds}</Link> · <Link to={["groups"]}>{words.groups}</Link>
      </p>
    </div>
  );
}

type Values = Pick<Facility, "name" | "address" | "latitude" | "longitude" | "max_cancel_share" | "time_zone">;

const zones = ["UTC", ...Intl.supportedValuesOf("timeZone")];

type FieldsProps = {
  title: string;
  facility: Facility | undefined;
  button: string;
  isPending: boolean;
  error: unknown;
  onSubmit: (values: Values) => void;
};

function Fields({ title, facility, button, isPending, error, onSubmit }: FieldsProps) {
  const [typed, setTyped] = useState({
    name: facility?.name ?? "",
    address: facility?.address ?? "",
    latitude: String(facility?.latitude ?? ""),
    longitude: String(facility?.longitude ?? ""),
    zone: facility?.time_zone ?? "",
    share: String(Math.round((facility?.max_cancel_share ?? 0.5) * 100)),
  });
  const set = (name: keyof typeof typed) => (value: string) => setTyped((all) => ({ ...all, [name]: value }));
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const { name, address, latitude, longitude, zone, share } = typed;
    onSubmit({
      name: name.trim(),
      address: address.trim(),
      latitude: Number(latitude),
      longitude: Number(longitude),
      time_zone: zone.trim() || null,
      max_cancel_share: Number(share) / 100,
    });
  };
  const field = (name: keyof typeof typed, label: string, more: { hint?: string; type?: string } = {}) => (
    <Field label={label} value={typed[name]} onChange={set(name)} isRequired autoComplete="off" {...more} />
  );
  return (
    <Form className="card" onSubmit={submit}>
      <h2>{title}</h2>
      {error !== null && (
        <p className="refused" role="alert">
          {reasonOf(error)}
        </p>
      )}
      {field("name", texts.admin.name)}
      {field("address", words.address)}
      <div className="pair">
        {field("latitude", words.latitude, { type: "number" })}
        {field("longitude", words.longitude, { type: "number" })}
      </div>
      <Field
        label={words.zone}
        hint={words.zoneHint}
        value={typed.zone}
        onChange={set("zone")}
        offers={zones}
        autoComplete="off"
      />
      {facility && field("share", words.share, { hint: words.shareHint, type: "number" })}
      <div className="actions">
        <Button type="submit" className="primary" isPending={isPending}>
          {button}
        </Button>
      </div>
    </Form>
  );
}
