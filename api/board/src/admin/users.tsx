import type { Schema } from "@waybill/client";
import { useCall, useList } from "@waybill/client/react";
import { type FormEvent, useState } from "react";
import { Button, Form } from "react-aria-components";

import { ChoiceField, Field } from "../parts/form";
import { reasonOf, useNotices } from "../parts/notices";
import { Heading, Instead, More } from "../parts/page";
import { useSession } from "../session";
import { texts } from "../texts";

const roles = Object.entries(texts.role).map(([id, name]) => ({ id, name }));

/** The users of the tenant. */
export function Users() {
  const [search, setSearch] = useState("");
  const [role, setRole] = useState<string>();
  const name = search.trim();
  const list = useList("list-users", {
    ...(name && { name }),
    ...(role !== undefined && { role: role as Schema<"UserRole"> }),
  });
  return (
    <div>
      <Heading title={texts.admin.users}>{texts.admin.users}</Heading>
      <div className="filters">
        <Field label={texts.admin.search} type="search" value={search} onChange={setSearch} />
        <ChoiceField
          label={texts.admin.role}
          choices={roles}
          value={role}
          onChange={setRole}
          none={texts.dispatch.all}
        />
      </div>
      <div className="halves">
        <section className="card">
          <Instead of={list} />
          <table className="table of-users" role="table">
            <thead role="rowgroup">
              <tr role="row">
                <th scope="col" role="columnheader">
                  {texts.admin.name}
                </th>
                <th scope="col" role="columnheader">
                  {texts.admin.email}
                </th>
                <th scope="col" role="columnheader">
                  {texts.admin.role}
                </th>
                <th scope="col" role="columnheader">
                  <span className="visually-hidden">{texts.admin.active}</span>
                </th>
              </tr>
            </thead>
            <tbody role="rowgroup">
              {list.data?.map((user) => (
                <Row key={user.id} user={user} />
              ))}
            </tbody>
          </table>
          <More of={list} />
        </section>
        <NewUser />
      </div>
    </div>
  );
}

function Row({ user }: { user: Schema<"User"> }) {
  const me = useSession().user;
  const { refused } = useNotices();
  const deactivate = useCall("deactivate-user");
  const reactivate = useCall("reactivate-user");
  return (
    <tr role="row" className={user.active ? "" : "inactive"}>
      <th scope="row" role="rowheader">
        {user.name} {!user.active && <small>{texts.admin.inactive}</small>}
      </th>
      <td role="cell">{user.email}</td>
      <td role="cell">{texts.role[user.role]}</td>
      <td role="cell">
        {user.id !== me.id &&
          (user.active ? (
            <Button
              className="small"
              isPending={deactivate.isPending}
              onPress={() => deactivate.mutate([user.id], { onError: refused })}
            >
              {texts.admin.deactivate}
            </Button>
          ) : (
            <Button
              className="small"
              isPending={reactivate.isPending}
              onPress={() => reactivate.mutate([user.id], { onError: refused })}
            >
              {texts.admin.reactivate}
            </Button>
          ))}
      </td>
    </tr>
  );
}

function NewUser() {
  const empty = { name: "", email: "", password: "" };
  const [fields, setFields] = useState(empty);
  const [role, setRole] = useState<string | undefined>("staff");
  const create = useCall("create-user");
  const { done } = useNotices();
  const set = (name: keyof typeof empty) => (value: string) => setFields({ ...fields, [name]: value });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (role === undefined) return;
    create.mutate([{ ...fields, role: role as Schema<"UserRole"> }], {
      onSuccess: (user) => {
        done(texts.admin.added(user.name));
        setFields(empty);
      },
    });
  };
  return (
    <Form className="card" onSubmit={submit}>
      <h2>{texts.admin.add}</h2>
      {create.error && (
        <p className="refused" role="alert">
          {reasonOf(create.error)}
        </p>
      )}
      <Field label={texts.admin.name} value={fields.name} onChange={set("name")} isRequired autoComplete="off" />
      <Field
        label={texts.admin.email}
        type="email"
        value={fields.email}
        onChange={set("email")}
        isRequired
        autoComplete="off"
      />
      <Field
        label={texts.admin.password}
        type="password"
        value={fields.password}
        onChange={set("password")}
        isRequired
        autoComplete="new-password"
        hint={texts.password.rule}
      />
      <ChoiceField label={texts.admin.role} choices={roles} value={role} onChange={setRole} />
      <Button type="submit" className="primary" isPending={create.isPending}>
        {texts.admin.create}
      </Button>
    </Form>
  );
}
