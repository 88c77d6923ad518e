import type { NoAnswer, Schema } from "@waybill/client";
import { Refused } from "@waybill/client";
import { createContext, type ReactNode, useCallback, useContext, useMemo, useState } from "react";
import { Button } from "react-aria-components";

import { Link } from "../router";
import { texts } from "../texts";

type Notice = { id: number; kind: "done" | "refused"; text: string; blockedBy?: string | undefined };

type Notices = { done: (text: string) => void; refused: (error: unknown) => void };

const Context = createContext<Notices | undefined>(undefined);

/** Returns functions that tell what became of something, in a corner of the page and to a screen reader. */
export function useNotices(): Notices {
  const notices = useContext(Context);
  if (notices === undefined) throw new Error("there is no NoticesProvider above");
  return notices;
}

const shownFor = { done: 4_000, refused: 12_000 };

export function NoticesProvider({ children }: { children: ReactNode }) {
  const [shown, setShown] = useState<Notice[]>([]);
  const close = useCallback((id: number) => setShown((all) => all.filter((n) => n.id !== id)), []);
  const notices = useMemo(() => {
    let last = 0;
    const show = (kind: Notice["kind"], text: string, blockedBy?: string) => {
      const id = ++last;
      setShown((all) => [...all.slice(-3), { id, kind, text, blockedBy }]);
      setTimeout(() => close(id), shownFor[kind]);
    };
    return {
      done: (text: string) => show("done", text),
      refused: (error: unknown) => show("refused", reasonOf(error), blockedBy(error)),
    };
  }, [close]);
  const of = (kind: Notice["kind"]) =>
    shown
      .filter((n) => n.kind === kind)
      .map((n) => (
        <div key={n.id} className={`notice ${kind}`}>
          <p>
            {n.text}{" "}
            {n.blockedBy !== undefined && <Link to={["pickups", n.blockedBy]}>{texts.refused.blockedBy}</Link>}
          </p>
          <Button aria-label={texts.close} className="plain" onPress={() => close(n.id)}>
            ×
          </Button>
        </div>
      ));
  return (
    <Context.Provider value={notices}>
      {children}
      <div className="notices">
        <div role="status">{of("done")}</div>
        <div role="alert">{of("refused")}</div>
      </div>
    </Context.Provider>
  );
}

type Told = (Schema<"Problem"> & { current_status?: Schema<"PickupStatus"> }) | NoAnswer;

/** Returns the pickup that is in the way, where the server names one. */
function blockedBy(error: unknown): string | undefined {
  if (!(error instanceof Refused) || error.problem.code !== "driver_busy") return undefined;
  const { pickup_id } = error.problem as { pickup_id?: string };
  return pickup_id;
}

/** Returns what a person is told of a failure: what the server says, and how things stand now. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Refused)) return texts.refused.internal;
  const problem = error.problem as Told;
  if (problem.code === "no_answer") return texts.refused.no_answer;
  const { current_status } = problem as { current_status?: Schema<"PickupStatus"> };
  const now = current_status ? ` ${texts.refused.now(texts.status[current_status].toLowerCase())}` : "";
  return `${problem.detail}${now}`;
}
