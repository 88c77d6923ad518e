import type { Schema } from "@waybill/client";
import { useList, useValue } from "@waybill/client/react";
import { type FormEvent, type ReactNode, useCallback, useEffect, useState } from "react";
import { Button, Form } from "react-aria-components";

import { dayAndTimeOf, shortId } from "../format";
import { UserName } from "../names";
import { ChoiceField, Field } from "../parts/form";
import { Heading, Instead, More } from "../parts/page";
import { Link, open } from "../router";
import { useSession } from "../session";
import { texts } from "../texts";
import { useDays } from "./days";

type Patient = Schema<"Patient">;

const { reads } = texts.admin;

/**
 * Who read a patient, and what a user read. The address has ids alone; what was typed, and who was found, is
 * forgotten with the page.
 */
export function Reads({ of: [kind, id] }: { of: string[] }) {
  const [known, setKnown] = useState<Record<string, Patient>>({});
  const found = useCallback(
    (patients: Patient[]) => setKnown((all) => ({ ...all, ...Object.fromEntries(patients.map((p) => [p.id, p])) })),
    [],
  );
  return (
    <div>
      <Heading title={reads.title}>{reads.title}</Heading>
      <div className={id === undefined ? "aside-page" : "aside-page chosen-one"}>
        <div className="aside">
          <FindPatient chosen={kind === "patients" ? id : undefined} onFound={found} />
          <FindUser chosen={kind === "users" ? id : undefined} />
        </div>
        {id === undefined ? (
          <p className="blank">{reads.choose}</p>
        ) : kind === "users" ? (
          <OfUser key={id} id={id} />
        ) : (
          <OfPatient key={id} id={id} known={known[id]} />
        )}
      </div>
    </div>
  );
}

const ways = Object.entries(reads.by).map(([id, name]) => ({ id, name }));
const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

type Found = { chosen: string | undefined; onFound: (patients: Patient[]) => void };

/** Finds a patient on demand: each who is shown is recorded as read. */
function FindPatient({ chosen, onFound }: Found) {
  const [by, setBy] = useState<string>("name");
  const [typed, setTyped] = useState("");
  const [query, setQuery] = useState<{ name?: string; external_id?: string }>();
  const [error, setError] = useState<string>();
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const text = typed.trim();
    setError(undefined);
    if (by !== "id") return setQuery(text ? { [by]: text } : undefined);
    if (!uuid.test(text)) return setError(reads.notAnId);
    setTyped("");
    open(["reads", "patients", text]);
  };
  return (
    <section className="card" aria-label={reads.findPatient}>
      <h2>{reads.findPatient}</h2>
      <Form className="finder" onSubmit={submit}>
        <ChoiceField label={reads.searchBy} choices={ways} value={by} onChange={(way) => way && setBy(way)} />
        <Field
          label={reads.by[by as keyof typeof reads.by]}
          type="search"
          value={typed}
          onChange={setTyped}
          error={error}
          autoComplete="off"
        />
        <Button type="submit" className="primary">
          {reads.search}
        </Button>
      </Form>
      {query ? (
        <Patients key={JSON.stringify(query)} query={query} chosen={chosen} onFound={onFound} />
      ) : (
        <p className="hint">{reads.recorded}</p>
      )}
    </section>
  );
}

function Patients({ query, chosen, onFound }: Found & { query: { name?: string; external_id?: string } }) {
  const list = useList("search-patients", { ...query, limit: 10 });
  useEffect(() => list.data && onFound(list.data), [list.data, onFound]);
  return (
    <>
      <Instead of={list} empty={reads.nobody} skeleton={2} />
      <ul className="choices">
        {list.data?.map((patient) => (
          <li key={patient.id}>
            <Link to={["reads", "patients", patient.id]} current={patient.id === chosen}>
              {patient.given_name} {patient.family_name}{" "}
              {patient.birth_date && <small>{texts.pickup.born(patient.birth_date)}</small>}
            </Link>
          </li>
        ))}
      </ul>
      <More of={list} />
    </>
  );
}

function FindUser({ chosen }: { chosen: string | undefined }) {
  const [typed, setTyped] = useState("");
  const name = typed.trim();
  const list = useList("list-users", { ...(name && { name }), limit: 10 });
  return (
    <section className="card" aria-label={reads.findUser}>
      <h2>{reads.findUser}</h2>
      <Field label={texts.admin.search} type="search" value={typed} onChange={setTyped} autoComplete="off" />
      <Instead of={list} skeleton={2} />
      <ul className="choices">
        {list.data?.map((user) => (
          <li key={user.id}>
            <Link to={["reads", "users", user.id]} current={user.id === chosen}>
              {user.name} <small>{texts.role[user.role]}</small>
            </Link>
          </li>
        ))}
      </ul>
      <More of={list} />
    </section>
  );
}

/** The patient's audit log: a line for each time that somebody read or wrote the patient. */
function OfPatient({ id, known }: { id: string; known: Patient | undefined }) {
  const [reader, setReader] = useState<string>();
  const { range, fields } = useDays("");
  const list = useList("list-patient-reads", id, { ...range, ...(reader && { user_id: reader }), limit: 50 });
  return (
    <section className="card log" aria-label={reads.ofPatient}>
      <h2>
        {reads.whoRead} {known ? `${known.given_name} ${known.family_name}` : <Named id={id} />}
      </h2>
      {fields}
      <Readers reads={list.data ?? []} chosen={reader} choose={setReader} />
      {list.data?.length === 0 ? <p className="blank">{reads.none}</p> : <Instead of={list} skeleton={5} />}
      <Log reads={list.data ?? []}>
        {(read) => (
          <>
            <Link to={["reads", "users", read.user_id]}>
              <UserName id={read.user_id} />
            </Link>
            <Operation of={read.operation} />
          </>
        )}
      </Log>
      <More of={list} />
    </section>
  );
}

/** The patient's id, and on demand the name, which is recorded. */
function Named({ id }: { id: string }) {
  const [shown, setShown] = useState(false);
  if (shown) return <Name id={id} />;
  return (
    <>
      <code>{shortId(id)}</code>{" "}
      <Button className="small" onPress={() => setShown(true)}>
        {texts.pickup.showPatient}
      </Button>
    </>
  );
}

function Name({ id }: { id: string }) {
  const { data, error } = useValue("get-patient", id);
  if (error) return <small>{reads.notYours(shortId(id))}</small>;
  return <>{data ? `${data.given_name} ${data.family_name}` : "…"}</>;
}

type ReadersProps = {
  reads: Schema<"PhiRead">[];
  chosen: string | undefined;
  choose: (id: string | undefined) => void;
};

/** Who is in the log as far as it is shown, most often first; one of them can be looked at alone. */
function Readers({ reads: all, chosen, choose }: ReadersProps) {
  const counts = new Map<string, number>();
  for (const { user_id } of all) counts.set(user_id, (counts.get(user_id) ?? 0) + 1);
  const sorted = [...counts].sort(([, a], [, b]) => b - a);
  if (chosen !== undefined) {
    return (
      <div className="readers">
        <Button className="small" onPress={() => choose(undefined)}>
          {reads.everyone}
        </Button>
      </div>
    );
  }
  if (sorted.length < 2) return null;
  return (
    <div className="readers" role="group" aria-label={reads.readers}>
      {sorted.slice(0, 12).map(([id, count]) => (
        <Button key={id} className="small" onPress={() => choose(id)}>
          <UserName id={id} /> <output>{count}</output>
        </Button>
      ))}
    </div>
  );
}

/** What one user read or wrote of any patients. */
function OfUser({ id }: { id: string }) {
  const { range, fields } = useDays("");
  const list = useList("list-user-reads", { user_id: id, ...range, limit: 50 });
  const me = useSession().user.id === id;
  return (
    <section className="card log" aria-label={reads.ofUser}>
      <h2>
        {reads.whatRead} {me ? texts.pickup.you : <UserName id={id} />}
      </h2>
      {fields}
      {list.data?.length === 0 ? <p className="blank">{reads.nothing}</p> : <Instead of={list} skeleton={5} />}
      <Log reads={list.data ?? []}>
        {(read) => (
          <>
            <Operation of={read.operation} />
            <PatientIds ids={read.patient_ids} />
          </>
        )}
      </Log>
      <More of={list} />
    </section>
  );
}

const fewIds = 4;

/** The patients of a line, by their ids: a name would be a read of each. */
function PatientIds({ ids }: { ids: string[] }) {
  const [all, setAll] = useState(false);
  const more = ids.length - fewIds;
  return (
    <span className="ids">
      <small>{reads.patients(ids.length)}</small>
      {(all ? ids : ids.slice(0, fewIds)).map((id) => (
        <Link key={id} to={["reads", "patients", id]}>
          {shortId(id)}
        </Link>
      ))}
      {more > 0 && !all && (
        <Button className="small" onPress={() => setAll(true)}>
          {reads.moreIds(more)}
        </Button>
      )}
    </span>
  );
}

type LogProps<Read> = { reads: Read[]; children: (read: Read) => ReactNode };

/** The lines of a log, day by day. */
function Log<Read extends { id: string; created_at: string }>({ reads: all, children }: LogProps<Read>) {
  const days = new Map<string, ReactNode[]>();
  for (const read of all) {
    const [day, time] = dayAndTimeOf(read.created_at);
    const line = (
      <li key={read.id}>
        <time dateTime={read.created_at}>{time}</time>
        {children(read)}
      </li>
    );
    days.set(day, [...(days.get(day) ?? []), line]);
  }
  return [...days].map(([day, lines]) => (
    <section key={day}>
      <h3>{day}</h3>
      <ul className="lines">{lines}</ul>
    </section>
  ));
}

/** An operation in words; a dry run shows patients, too. */
function Operation({ of }: { of: string }) {
  const [name = of, tried] = of.split("?");
  return (
    <span>
      {reads.operation[name] ?? name.replaceAll("-", " ")} {tried && <small>{reads.dryRun}</small>}
    </span>
  );
}
