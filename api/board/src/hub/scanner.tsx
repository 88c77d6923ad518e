import { type FormEvent, useRef, useState } from "react";
import { Button, Form } from "react-aria-components";

import { shortId } from "../format";
import { useTimeOf } from "../now";
import { Field } from "../parts/form";
import { texts } from "../texts";
import { beep } from "./beep";
import { type Told, useFind, useNextStep } from "./step";

type Outcome = Told & { key: number; at: string };
type Sent = { key: number; text: string };

const uuid = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/i;
const short = /^[0-9a-f]{6}$/i;

/** What a scan is of: a label may have more around the id, such as a URL; people type the end that cards show. */
function idIn(typed: string): { id: string } | { end: string } | undefined {
  const id = uuid.exec(typed)?.[0].toLowerCase();
  if (id) return { id };
  const end = short.exec(typed.trim())?.[0].toLowerCase();
  return end ? { end } : undefined;
}

/** A field for scans and ids, what is being sent, and what came of each, the last one loudly. */
export function Scanner() {
  const [typed, setTyped] = useState("");
  const { sent, log, take } = useScans();
  const timeOf = useTimeOf();
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (typed.trim() === "") return;
    setTyped("");
    void take(typed);
  };
  const [newest, ...older] = log;
  return (
    <section className="scanner card">
      <Form onSubmit={submit}>
        <Field label={texts.hub.scan} value={typed} onChange={setTyped} autoFocus autoComplete="off" />
        <Button type="submit" className="primary">
          {texts.hub.go}
        </Button>
      </Form>
      <ul className="log" aria-label={texts.hub.on} aria-live="polite">
        {sent.map(({ key, text }) => (
          <li key={key} className="on-its-way">
            {text}
          </li>
        ))}
      </ul>
      <p
        className={`outcome ${newest === undefined ? "" : newest.ok ? "done" : "refused"}`}
        role="alert"
        key={newest?.key}
      >
        {newest?.text}
      </p>
      {!newest && <p className="hint">{texts.hub.ready}</p>}
      {older.length > 0 && (
        <ol className="log" aria-label={texts.hub.log}>
          {older.map((outcome) => (
            <li key={outcome.key} className={outcome.ok ? "done" : "refused"}>
              {outcome.text} <small>{timeOf(outcome.at)}</small>
            </li>
          ))}
        </ol>
      )}
    </section>
  );
}

/** Has the scans that are being sent, and what came of the last ones, the last answered first. */
function useScans() {
  const [sent, setSent] = useState<Sent[]>([]);
  const [log, setLog] = useState<Outcome[]>([]);
  const last = useRef(0);
  const find = useFind();
  const next = useNextStep();
  const outcomeOf = async (typed: string): Promise<Told> => {
    const scanned = idIn(typed);
    if (!scanned) return { ok: false, text: texts.hub.notAnId };
    const found = "id" in scanned ? scanned : await find(scanned.end);
    return "id" in found ? next(found.id) : found;
  };
  const take = async (typed: string) => {
    const key = ++last.current;
    const scanned = idIn(typed);
    const name = scanned && shortId("id" in scanned ? scanned.id : scanned.end);
    if (name) setSent((all) => [...all, { key, text: texts.hub.sending(name) }]);
    const outcome = await outcomeOf(typed);
    setSent((all) => all.filter((scan) => scan.key !== key));
    setLog((all) => [{ ...outcome, key, at: new Date().toISOString() }, ...all].slice(0, 12));
    if (!outcome.ok) beep();
  };
  return { sent, log, take };
}
