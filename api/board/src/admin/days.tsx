import { useMemo, useState } from "react";

import { Field } from "../parts/form";
import { texts } from "../texts";

type Range = { from?: string; to?: string };

/** Returns a choice of days, and the fields for it. Days are those of the browser's zone. */
export function useDays(first: string) {
  const [from, setFrom] = useState(first);
  const [to, setTo] = useState("");
  const range = useMemo(() => ({ ...bound("from", from), ...bound("to", to) }), [from, to]);
  const fields = (
    <div className="pair">
      <Field label={texts.admin.from} type="date" value={from} onChange={setFrom} />
      <Field label={texts.admin.to} type="date" value={to} onChange={setTo} />
    </div>
  );
  return { range, fields };
}

/** From the first day's begin to the last one's end. */
function bound(name: "from" | "to", day: string): Range {
  const at = new Date(`${day}T00:00`);
  if (Number.isNaN(at.getTime())) return {};
  if (name === "to") at.setDate(at.getDate() + 1);
  return name === "to" && at.getTime() > Date.now() ? {} : { [name]: at.toISOString() };
}
