import { createWaybill, type Schema, unwrap, type Waybill } from "@waybill/client";
import { createContext, type ReactNode, useContext, useMemo, useState } from "react";

// Where the token is kept, and why: README.md, "The session".
const slot = "waybill.session";

export type Session = {
  token: string;
  tenant: string; // its slug, for the next login
  user: Schema<"User">;
  driverId: string | undefined;
};

/** Why there is no session. */
export type Ended = "logged_out" | "expired";

type Gate = {
  session: Session | undefined;
  ended: Ended | undefined;
  waybill: Waybill;
  login: (credentials: Schema<"Credentials">) => Promise<void>;
  logout: () => Promise<void>;
  /** Forgets the session: the server does not know it any more. */
  expire: () => void;
};

const Context = createContext<Gate | undefined>(undefined);

export function useGate(): Gate {
  const gate = useContext(Context);
  if (gate === undefined) throw new Error("there is no SessionProvider above");
  return gate;
}

/** Returns the session of a page that is shown to those who have logged in. */
export function useSession(): Session {
  const { session } = useGate();
  if (session === undefined) throw new Error("nobody is logged in");
  return session;
}

function stored(): Session | undefined {
  try {
    return JSON.parse(sessionStorage.getItem(slot) ?? "null") ?? undefined;
  } catch {
    return undefined;
  }
}

/** Has the client, whose calls bear the token of the present session. */
export function SessionProvider({ children }: { children: ReactNode }) {
  const [session, setSession] = useState(stored);
  const [ended, setEnded] = useState<Ended>();
  const [token] = useState<{ present: string | undefined }>({ present: session?.token });
  const waybill = useMemo(() => createWaybill({ baseUrl: location.origin, token: () => token.present }), [token]);
  const gate = useMemo(() => {
    const keep = (next: Session | undefined, why?: Ended) => {
      token.present = next?.token;
      if (next) sessionStorage.setItem(slot, JSON.stringify(next));
      else sessionStorage.removeItem(slot);
      setSession(next);
      setEnded(why);
    };
    return {
      login: async (credentials: Schema<"Credentials">) => {
        token.present = undefined;
        const { token: present, user } = unwrap(await waybill.sessions.login(credentials));
        token.present = present;
        const { driver_id } = unwrap(await waybill.sessions.get());
        keep({ token: present, tenant: credentials.tenant, user, driverId: driver_id });
      },
      logout: async () => {
        await waybill.sessions.logout(); // without an answer the session ends by itself; the token is gone here
        keep(undefined, "logged_out");
      },
      expire: () => keep(undefined, "expired"),
    };
  }, [waybill, token]);
  return <Context.Provider value={{ session, ended, waybill, ...gate }}>{children}</Context.Provider>;
}
