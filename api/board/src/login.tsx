import { type FormEvent, useState } from "react";
import { Button, Form } from "react-aria-components";

import { Field } from "./parts/form";
import { Heading } from "./parts/page";
import { reasonOf } from "./parts/notices";
import { useGate } from "./session";
import { texts } from "./texts";

/** The login. Nobody else's session is left in the page: see README.md, "The session". */
export function Login() {
  const { ended, login } = useGate();
  const [tenant, setTenant] = useState("");
  const [email, setEmail] = useState("");
  const [password, setPassword] = useState("");
  const [busy, setBusy] = useState(false);
  const [refused, setRefused] = useState<string>();
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setRefused(undefined);
    login({ tenant, email, password }).catch((error: unknown) => {
      setRefused(reasonOf(error));
      setPassword("");
      setBusy(false);
    });
  };
  return (
    <main className="login">
      <Form className="card" onSubmit={submit}>
        <strong className="brand">{texts.product}</strong>
        <Heading title={texts.login.title}>{texts.login.title}</Heading>
        {ended && !refused && (
          <p className="hint" role="status">
            {texts.login.ended[ended.why]}
          </p>
        )}
        {ended && ended.unsent.length > 0 && <Unsent changes={ended.unsent} />}
        {refused && (
          <p className="refused" role="alert">
            {refused}
          </p>
        )}
        <Field
          label={texts.login.tenant}
          name="organization"
          value={tenant}
          onChange={setTenant}
          isRequired
          autoComplete="organization"
          autoFocus
        />
        <Field
          label={texts.login.email}
          name="username"
          type="email"
          value={email}
          onChange={setEmail}
          isRequired
          autoComplete="username"
        />
        <Field
          label={texts.login.password}
          name="password"
          type="password"
          value={password}
          onChange={setPassword}
          isRequired
          autoComplete="current-password"
        />
        <Button type="submit" className="primary" isPending={busy}>
          {texts.login.submit}
        </Button>
      </Form>
    </main>
  );
}

/** Says which changes ended with the session: nobody knows whether they were done, and nothing sends them again. */
function Unsent({ changes }: { changes: string[] }) {
  return (
    <div className="refused" role="alert">
      <p>{texts.login.unsent(changes.length)}</p>
      <ul>
        {changes.map((what, i) => (
          <li key={i}>{what}</li>
        ))}
      </ul>
    </div>
  );
}
