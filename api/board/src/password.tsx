import { useCall } from "@waybill/client/react";
import { type FormEvent, useState } from "react";
import { Button, Form } from "react-aria-components";

import { Field } from "./parts/form";
import { reasonOf } from "./parts/notices";
import { Heading } from "./parts/page";
import { useSession } from "./session";
import { texts } from "./texts";

/** Changes the user's own password, which ends all sessions. */
export function Password() {
  const { user } = useSession();
  const [current, setCurrent] = useState("");
  const [next, setNext] = useState("");
  const change = useCall("change-password");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    change.mutate([user.id, { current_password: current, new_password: next }]); // session.tsx: what follows
  };
  return (
    <section className="narrow">
      <Heading title={texts.password.title}>{texts.password.title}</Heading>
      <Form className="card" onSubmit={submit}>
        {change.error && (
          <p className="refused" role="alert">
            {reasonOf(change.error)}
          </p>
        )}
        <Field
          label={texts.password.current}
          type="password"
          value={current}
          onChange={setCurrent}
          isRequired
          autoComplete="current-password"
        />
        <Field
          label={texts.password.next}
          type="password"
          value={next}
          onChange={setNext}
          isRequired
          autoComplete="new-password"
          hint={texts.password.rule}
        />
        <Button type="submit" className="primary" isPending={change.isPending}>
          {texts.password.submit}
        </Button>
      </Form>
    </section>
  );
}
