import { useState } from "react";

import { UserName } from "../names";
import { Field } from "../parts/form";
import { texts } from "../texts";
import type { Drawn, DrawnGroup } from "./sees";

const words = texts.admin.sees;

const manyRows = 15;
const manyColumns = 6;

/** Users by facilities: a mark is a group by which the user sees the facility. */
export function Matrix({ drawn, chosen }: { drawn: Drawn; chosen: DrawnGroup | undefined }) {
  const [typed, setTyped] = useState("");
  const word = typed.trim().toLowerCase();
  const { facilities } = drawn;
  const users = drawn.users.filter(({ name }) => name.toLowerCase().includes(word));
  const unseen = facilities.filter(
    (f) => !drawn.groups.some((g) => g.facilities.includes(f.id) && g.members.length),
  );
  return (
    <>
      <header className="heading">
        <h2>{words.drawn}</h2>
        {drawn.users.length > manyRows && (
          <Field label={texts.admin.search} type="search" value={typed} onChange={setTyped} />
        )}
      </header>
      <p className="hint">{words.rule}</p>
      {/* A keyboard scrolls it too. */}
      <div className="matrix" tabIndex={0} role="region" aria-label={words.drawn}>
        <table className={facilities.length > manyColumns ? "upright" : ""}>
          <thead>
            <tr>
              <th scope="col">{words.user}</th>
              {facilities.map((facility) => (
                <th key={facility.id} scope="col" className={chosen?.facilities.includes(facility.id) ? "lit" : ""}>
                  <span>{facility.name}</span>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {users.map((user) => (
              <Row key={user.id} user={user} drawn={drawn} chosen={chosen} />
            ))}
          </tbody>
        </table>
      </div>
      {unseen.length > 0 && <p className="hint">{words.unseen(unseen.map(({ name }) => name).join(", "))}</p>}
    </>
  );
}

type RowProps = { user: Drawn["users"][number]; drawn: Drawn; chosen: DrawnGroup | undefined };

function Row({ user, drawn, chosen }: RowProps) {
  const groups = drawn.groups.filter((group) => group.members.includes(user.id));
  const seesNothing = user.role === "staff" && !groups.some((group) => group.facilities.length > 0);
  return (
    <tr className={chosen?.members.includes(user.id) ? "lit" : ""}>
      <th scope="row">
        {user.name || <UserName id={user.id} />}{" "}
        <small>
          {user.role ? texts.role[user.role] : ""}
          {seesNothing && <span className="hot"> · {words.nothing}</span>}
        </small>
      </th>
      {drawn.facilities.map(({ id }) => (
        <Cell key={id} by={groups.filter((group) => group.facilities.includes(id))} chosen={chosen} />
      ))}
    </tr>
  );
}

function Cell({ by, chosen }: { by: DrawnGroup[]; chosen: DrawnGroup | undefined }) {
  if (by.length === 0) {
    return (
      <td>
        <span className="visually-hidden">{words.no}</span>
      </td>
    );
  }
  return (
    <td className="yes">
      {by.map(({ row, mark, hue }) => (
        <span
          key={row.id}
          className={`mark hue-${hue} ${chosen && chosen.row.id !== row.id ? "dim" : ""}`}
          title={words.by(row.name)}
        >
          <span aria-hidden="true">{mark}</span>
          <span className="visually-hidden">{words.by(row.name)}</span>
        </span>
      ))}
    </td>
  );
}
