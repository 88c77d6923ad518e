import { useCall, useList } from "@waybill/client/react";
import { type FormEvent, useState } from "react";
import { Button, Form } from "react-aria-components";

import { Field } from "../parts/form";
import { useNotices } from "../parts/notices";
import { Heading, Instead, More } from "../parts/page";
import { Link, open } from "../router";
import { texts } from "../texts";
import { GroupPanel } from "./group";
import { Matrix } from "./matrix";
import { type Drawn, useDrawn } from "./sees";

const words = texts.admin.sees;

/** Who sees what, drawn: which users see which facilities, and by which group. The members of a group see its own. */
export function Groups({ id }: { id: string | undefined }) {
  const list = useList("list-groups", { limit: 50 });
  const drawn = useDrawn(list.data);
  const chosen = drawn.groups.find((group) => group.row.id === id);
  return (
    <div>
      <Heading title={texts.admin.groups}>{texts.admin.groups}</Heading>
      <div className={id === undefined ? "aside-page" : "aside-page chosen-one"}>
        <nav className="card aside" aria-label={words.groups}>
          <h2>{words.groups}</h2>
          <Instead of={list} empty={texts.admin.groupNone} />
          <Legend groups={drawn.groups} chosen={id} />
          <More of={list} />
          <NewGroup />
        </nav>
        <div className="endpoint">
          {chosen && <GroupPanel key={chosen.row.id} group={chosen} drawn={drawn} />}
          <section className="card">
            <Instead of={drawn.read} skeleton={5} />
            {!drawn.read.isPending && !drawn.read.error && <Matrix drawn={drawn} chosen={chosen} />}
          </section>
        </div>
      </div>
    </div>
  );
}

/** The groups with their marks. The chosen one stands out in the drawing. */
function Legend({ groups, chosen }: { groups: Drawn["groups"]; chosen: string | undefined }) {
  return (
    <ul className="choices">
      {groups.map(({ row, mark, hue, members, facilities, isRead }) => (
        <li key={row.id}>
          <Link to={row.id === chosen ? ["groups"] : ["groups", row.id]} current={row.id === chosen}>
            <span className={`mark hue-${hue}`}>{mark}</span> {row.name}{" "}
            <small>{isRead && words.size(members.length, facilities.length)}</small>
          </Link>
        </li>
      ))}
    </ul>
  );
}

function NewGroup() {
  const [name, setName] = useState("");
  const create = useCall("create-group");
  const { refused } = useNotices();
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const onSuccess = (group: { id: string }) => {
      setName("");
      open(["groups", group.id]);
    };
    create.mutate([{ name: name.trim() }], { onSuccess, onError: refused });
  };
  return (
    <Form className="finder" onSubmit={submit}>
      <Field label={words.newGroup} value={name} onChange={setName} isRequired autoComplete="off" />
      <Button type="submit" isPending={create.isPending}>
        {texts.admin.create}
      </Button>
    </Form>
  );
}
