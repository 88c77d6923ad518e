import { useQueryClient } from "@tanstack/react-query";
import type { Schema } from "@waybill/client";
import { Refused } from "@waybill/client";
import { useCall, useWaybill } from "@waybill/client/react";
import { type FormEvent, useState } from "react";
import { Button, Form } from "react-aria-components";

import { FacilityName, UserName } from "../names";
import { type Choice, ChoiceField, Field } from "../parts/form";
import { useNotices } from "../parts/notices";
import { Link } from "../router";
import { texts } from "../texts";
import type { Drawn, DrawnGroup } from "./sees";

const words = texts.admin.sees;

/** One group: its members on the one side, what they see by it on the other. */
export function GroupPanel({ group, drawn }: { group: DrawnGroup; drawn: Drawn }) {
  const { row, mark, hue } = group;
  const { refused } = useNotices();
  const addMember = useCall("add-group-member");
  const removeMember = useCall("remove-group-member");
  const addFacility = useCall("add-group-facility");
  const removeFacility = useCall("remove-group-facility");
  const onError = { onError: refused };
  return (
    <section className="card group" aria-label={row.name}>
      <header>
        <span className={`mark hue-${hue}`} aria-hidden="true">
          {mark}
        </span>
        <Name row={row} />
        <Link to={["groups"]}>{texts.close}</Link>
      </header>
      <Side
        title={texts.admin.members}
        ids={group.members}
        known={drawn.everyone.map(({ id, name, role }) => ({ id, name, ...(role && { more: texts.role[role] }) }))}
        named={(id) => <UserName id={id} />}
        add={texts.admin.addMember}
        none={group.isRead && words.noMembers}
        onAdd={(id) => addMember.mutate([row.id, id], onError)}
        onRemove={(id) => removeMember.mutate([row.id, id], onError)}
      />
      <span className="sees" aria-hidden="true">
        →
      </span>
      <Side
        title={texts.admin.facilities}
        ids={group.facilities}
        known={drawn.facilities}
        named={(id) => <FacilityName id={id} />}
        add={texts.admin.addFacility}
        none={group.isRead && words.noFacilities}
        onAdd={(id) => addFacility.mutate([row.id, id], onError)}
        onRemove={(id) => removeFacility.mutate([row.id, id], onError)}
      />
    </section>
  );
}

type SideProps = {
  title: string;
  ids: string[];
  known: Choice[];
  named: (id: string) => React.ReactNode;
  add: string;
  none: string | false;
  onAdd: (id: string) => void;
  onRemove: (id: string) => void;
};

function Side({ title, ids, known, named, add, none, onAdd, onRemove }: SideProps) {
  const nameOf = (id: string) => known.find((one) => one.id === id)?.name;
  return (
    <div>
      <h3>{title}</h3>
      {ids.length === 0 && none && <p className="empty">{none}</p>}
      <ul className="chips">
        {ids.map((id) => (
          <li key={id}>
            {nameOf(id) ?? named(id)}
            <Button className="plain" aria-label={words.remove(nameOf(id) ?? "")} onPress={() => onRemove(id)}>
              ×
            </Button>
          </li>
        ))}
      </ul>
      <ChoiceField
        label={add}
        choices={known.filter(({ id }) => !ids.includes(id))}
        value={undefined}
        onChange={(id) => id && onAdd(id)}
      />
    </div>
  );
}

/** The group's name, which can be changed. */
function Name({ row }: { row: Schema<"Group"> }) {
  const [typed, setTyped] = useState<string>();
  const waybill = useWaybill();
  const cache = useQueryClient();
  const { refused } = useNotices();
  const save = async (event: FormEvent) => {
    event.preventDefault();
    const name = typed?.trim();
    if (name && name !== row.name) {
      const result = await waybill.groups.edit(row, { name });
      if (!result.ok) refused(new Refused(result.error as Schema<"Problem">));
      await cache.invalidateQueries({ queryKey: ["list-groups"] });
    }
    setTyped(undefined);
  };
  if (typed === undefined) {
    return (
      <>
        <h2>{row.name}</h2>
        <Button className="small" onPress={() => setTyped(row.name)}>
          {words.rename}
        </Button>
      </>
    );
  }
  return (
    <Form onSubmit={(event) => void save(event)}>
      <Field label={texts.admin.name} value={typed} onChange={setTyped} isRequired autoFocus autoComplete="off" />
      <Button type="submit" className="primary">
        {texts.admin.webhooks.save}
      </Button>
    </Form>
  );
}
