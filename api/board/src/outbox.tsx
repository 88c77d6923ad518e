import { type Mutation, type QueryClient, useMutationState, useQueryClient } from "@tanstack/react-query";
import { type NoAnswer, Refused } from "@waybill/client";
import { useEffect } from "react";
import { Button, Dialog, Heading, Modal, ModalOverlay } from "react-aria-components";

import { exactTimeOf, shortId } from "./format";
import { texts } from "./texts";

/** How long a change is tried while the server is away. */
export const longestAway = 180_000;

/** Whether nobody knows what became of a change: no answer came. */
export function isUnanswered(error: unknown): boolean {
  return error instanceof Refused && (error as Refused<NoAnswer>).problem.code === "no_answer";
}

/**
 * The changes that are not known to be done: those that wait for the server while it is away, and those that it did
 * not answer in time. Sent again, a change takes effect once.
 */
export function Outbox({ away }: { away: boolean }) {
  const cache = useQueryClient().getMutationCache();
  const changes = useMutationState({ filters: { predicate: isChange }, select: changeOf });
  const waiting = changes.filter(({ status }) => status === "pending");
  const unanswered = changes.filter(({ status }) => status === "error");
  useStay(waiting.length > 0);
  const find = (id: number) => cache.getAll().find(({ mutationId }) => mutationId === id);
  const shown = [...unanswered, ...(away ? waiting : [])];
  if (shown.length === 0) return null;
  return (
    <section className="outbox" aria-label={texts.outbox.title}>
      <h2>{texts.outbox.title}</h2>
      <ul>
        {shown.map(({ id, what, at, status }) => (
          <li key={id} className={status}>
            <span>
              <b>{what}</b> {(status === "error" ? texts.outbox.unanswered : texts.outbox.waiting)(exactTimeOf(at))}
            </span>
            {status === "error" && (
              <>
                <Button className="small" onPress={() => void again(find(id))}>
                  {texts.outbox.again}
                </Button>
                <Button
                  className="plain"
                  aria-label={texts.outbox.forget(what)}
                  onPress={() => {
                    const mutation = find(id);
                    if (mutation) cache.remove(mutation);
                  }}
                >
                  ×
                </Button>
              </>
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}

/** Returns, in words, the changes that are not known to be done. They end with the session that made them. */
export function unsentIn(cache: QueryClient): string[] {
  const all = cache.getMutationCache().getAll();
  return all.filter((mutation) => isChange(mutation) || isOnItsWay(mutation)).map((m) => changeOf(m).what);
}

/** Asks before a logout with changes that are not known to be done. */
export function AskToLeave({ isOpen, close, leave }: { isOpen: boolean; close: () => void; leave: () => void }) {
  const predicate = (mutation: Mutation) => isChange(mutation) || isOnItsWay(mutation);
  const unsent = useMutationState({ filters: { predicate }, select: changeOf });
  return (
    <ModalOverlay className="overlay" isDismissable isOpen={isOpen} onOpenChange={close}>
      <Modal className="modal">
        <Dialog role="alertdialog">
          <Heading slot="title">{texts.outbox.leaveTitle}</Heading>
          <p>{unsent.length === 0 ? texts.outbox.leaveNone : texts.outbox.leave(unsent.length)}</p>
          <ul>
            {unsent.map(({ id, what }) => (
              <li key={id}>{what}</li>
            ))}
          </ul>
          <div className="actions">
            <Button onPress={close} autoFocus>
              {texts.outbox.stay}
            </Button>
            <Button className="danger" onPress={leave}>
              {texts.logout}
            </Button>
          </div>
        </Dialog>
      </Modal>
    </ModalOverlay>
  );
}

/** Sends a change again: with the same arguments it is the same intent. What is refused is told where it was made. */
async function again(mutation: Mutation | undefined): Promise<void> {
  await mutation?.execute(mutation.state.variables).catch(() => {});
}

function isChange({ options, state }: Mutation): boolean {
  const [id] = (options.mutationKey ?? []) as [string?];
  if (id === undefined || !(id in texts.outbox.changes)) return false;
  return state.status === "pending" || (state.status === "error" && isUnanswered(state.error));
}

/** Whether a change that is not of a pickup, such as a booking, waits for its answer: its form has it. */
function isOnItsWay({ options, state }: Mutation): boolean {
  return state.status === "pending" && options.mutationKey?.[0] !== "change-password";
}

function changeOf({ mutationId, options, state }: Mutation) {
  const [id] = (options.mutationKey ?? []) as [string?];
  const [row] = state.variables as [string];
  const changes: Record<string, string> = texts.outbox.changes;
  return {
    id: mutationId,
    what: id !== undefined && id in changes ? `${changes[id]} ${shortId(row)}` : texts.outbox.other,
    at: new Date(state.submittedAt),
    status: state.status,
  };
}

/** Has the browser ask before the page is closed while something has not been sent. */
function useStay(needed: boolean): void {
  useEffect(() => {
    if (!needed) return undefined;
    const ask = (event: BeforeUnloadEvent) => event.preventDefault();
    addEventListener("beforeunload", ask);
    return () => removeEventListener("beforeunload", ask);
  }, [needed]);
}
