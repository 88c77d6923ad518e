import { MutationCache, QueryCache, QueryClient } from "@tanstack/react-query";
import { createWaybill, type OperationId, Refused, type Schema, unwrap, type Waybill } from "@waybill/client";
import { createContext, type ReactNode, useContext, useMemo, useState } from "react";

import { longestAway, unsentIn } from "./outbox";

// Where the token is kept, and why: README.md, "The session".
const slot = "waybill.session";

export type Session = {
  token: string;
  tenant: string; // its slug, for the next login
  user: Schema<"User">;
  driverId: string | undefined;
};

/** Why there is no session, and which changes were not known to be done when it ended. */
export type Ended = { why: "logged_out" | "expired" | "password_changed"; unsent: string[] };

/** What belongs to one session: its client, and what that has read and is sending. It ends with the session. */
type Work = { waybill: Waybill; cache: QueryClient; expire: () => void; stop: () => void };

type Gate = Omit<Work, "stop"> & {
  session: Session | undefined;
  ended: Ended | undefined;
  login: (credentials: Schema<"Credentials">) => Promise<void>;
  logout: () => void;
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

/** Has what belongs to the present session. What one user has read is forgotten before the next logs in. */
export function SessionProvider({ children }: { children: ReactNode }) {
  const [session, setSession] = useState(stored);
  const [ended, setEnded] = useState<Ended>();
  const token = session?.token;
  const work = useMemo(() => {
    let over = token === undefined;
    const end = (why: Ended["why"]) => {
      if (over) return; // what is told late does not end the session of the next
      over = true;
      sessionStorage.removeItem(slot);
      setEnded({ why, unsent: unsentIn(cache) });
      setSession(undefined);
      stop();
    };
    const { waybill, cache, expire, stop } = workOf(token, end);
    return { waybill, cache, expire, end };
  }, [token]);
  const gate = useMemo(
    () => ({
      login: async (credentials: Schema<"Credentials">) => {
        const { token, user } = unwrap(await clientOf(undefined).sessions.login(credentials));
        const { driver_id } = unwrap(await clientOf(token).sessions.get());
        const next = { token, tenant: credentials.tenant, user, driverId: driver_id };
        sessionStorage.setItem(slot, JSON.stringify(next));
        setEnded(undefined);
        setSession(next);
      },
      // The page is left at once, whether the server answers or not: it is told behind it.
      logout: () => {
        work.end("logged_out");
        void clientOf(token, (request) => fetch(request, { keepalive: true })).sessions.logout({
          deadline: longestAway,
        });
      },
    }),
    [work, token],
  );
  return <Context.Provider value={{ session, ended, ...work, ...gate }}>{children}</Context.Provider>;
}

function clientOf(token: string | undefined, send?: (request: Request) => Promise<Response>): Waybill {
  return createWaybill({ baseUrl: location.origin, token, ...(send && { fetch: send }) });
}

/** Changes the user's own password, which ends all sessions. */
const changesPassword = "change-password" satisfies OperationId;

/**
 * Makes the work of a session. When it is stopped, nothing more is sent: a later user's token is not for it. end is
 * told why the session has ended: that it is refused may be told before the answer to the change of the password that
 * has ended it, which is waited for, and says so.
 */
function workOf(token: string | undefined, end: (why: Exclude<Ended["why"], "logged_out">) => void): Work {
  const stopped = new AbortController();
  const waybill = clientOf(token, (request) =>
    fetch(request, { signal: AbortSignal.any([request.signal, stopped.signal]) }),
  );
  let refused = false;
  const expire = () => {
    if (cache.isMutating({ mutationKey: [changesPassword] })) refused = true;
    else end("expired");
  };
  const onError = (error: unknown) => {
    if (error instanceof Refused && error.problem.code === "unauthenticated") expire();
  };
  const mutationCache = new MutationCache({ onError });
  mutationCache.subscribe(({ mutation }) => {
    if (mutation?.options.mutationKey?.[0] !== changesPassword) return;
    if (mutation.state.status === "success") end("password_changed");
    else if (mutation.state.status === "error" && refused) end("expired");
  });
  const cache: QueryClient = new QueryClient({
    queryCache: new QueryCache({ onError }),
    mutationCache,
    // Rows come by the stream; what is not in it is read again when it is shown again.
    defaultOptions: {
      queries: { staleTime: 15_000, networkMode: "always" },
      // What was not answered is kept, to be sent again.
      mutations: { networkMode: "always", gcTime: 3_600_000 },
    },
  });
  return { waybill, cache, expire, stop: () => stopped.abort() };
}
