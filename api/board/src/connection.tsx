import { useQueryClient } from "@tanstack/react-query";
import type { StreamState } from "@waybill/client";
import { useStream } from "@waybill/client/react";
import { useEffect, useRef, useState, useSyncExternalStore } from "react";
import { Button } from "react-aria-components";

import { exactTimeOf } from "./format";
import { Outbox } from "./outbox";
import { useGate } from "./session";
import { texts } from "./texts";

/** Follows the stream, and says how the connection is: what is not live is not shown as if it were. */
export function Connection() {
  const cache = useQueryClient();
  const { expire } = useGate();
  const { state, error, aliveAt } = useStream({
    // A transition may have given a driver work, or taken it away.
    onEvent: () => void cache.invalidateQueries({ predicate: ({ queryKey }) => queryKey[0] === "list-drivers" }),
  });
  useEffect(() => {
    if (error?.problem.code === "unauthenticated") expire();
  }, [error, expire]);
  // The stream makes up for what it missed of pickups. The rest is read again.
  const { shown, since } = useLost(state, () => void cache.invalidateQueries());
  const online = useOnline();
  const label = error ? "ended" : !online ? "offline" : shown;
  return (
    <>
      <span className={`connection ${label}`} role="status">
        {texts.stream[label]}
      </span>
      {error && (
        <p className="offline" role="alert">
          {texts.stream.endedLong} <Button onPress={() => location.reload()}>{texts.stream.reload}</Button>
        </p>
      )}
      {since && !error && (
        <p className="offline" role="alert">
          <b>{(online ? texts.stream.waitingSince : texts.stream.offlineSince)(exactTimeOf(since))}</b>{" "}
          {texts.stream.asOf(exactTimeOf(aliveAt ?? since))} {texts.stream.keptFor}
        </p>
      )}
      <Outbox away={since !== undefined} />
    </>
  );
}

/** How long a connection may be lost without a word: a deployment cuts it for less. */
const glitch = 1_000;

/**
 * Returns what to show of the state of the stream, and since when the connection is lost. Attempts that fail change
 * neither. found is called when the connection is back.
 */
function useLost(state: StreamState, found: () => void): { shown: StreamState; since: Date | undefined } {
  const lost = useRef<Date>(undefined);
  const [since, setSince] = useState<Date>();
  useEffect(() => {
    if (state === "open") {
      if (lost.current) found();
      lost.current = undefined;
      setSince(undefined);
    } else if (state === "waiting") {
      lost.current ??= new Date();
    }
  }, [state]);
  const shown = state === "connecting" && lost.current ? "waiting" : state;
  useEffect(() => {
    if (shown !== "waiting") return undefined;
    const timer = setTimeout(() => setSince(lost.current), glitch);
    return () => clearTimeout(timer);
  }, [shown]);
  return { shown, since };
}

function useOnline(): boolean {
  return useSyncExternalStore(
    (changed) => {
      addEventListener("online", changed);
      addEventListener("offline", changed);
      return () => {
        removeEventListener("online", changed);
        removeEventListener("offline", changed);
      };
    },
    () => navigator.onLine,
  );
}
