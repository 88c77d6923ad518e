import type { Schema } from "@waybill/client";
import { useCall, useList } from "@waybill/client/react";
import { type ReactNode, useEffect } from "react";
import { Button } from "react-aria-components";

import { useTimeOf } from "../now";
import { isUnanswered, longestAway } from "../outbox";
import { useNotices } from "../parts/notices";
import { Instead, More } from "../parts/page";
import { texts } from "../texts";

type Message = Schema<"Message">;

/** The texts of a pickup, newest first, with what became of each. Before them stands what children say. */
export function MessageList({ pickupId, children }: { pickupId: string; children?: ReactNode }) {
  const messages = useList("list-pickup-messages", pickupId);
  const isQueued = messages.data?.some(({ status }) => status === "QUEUED") ?? false;
  useUntilSent(isQueued, () => void messages.refetch());
  return (
    <>
      {children}
      <Instead of={messages} empty={texts.pickup.noMessages} skeleton={1} />
      <ul className="messages">
        {messages.data?.map((message) => (
          <MessageRow key={message.id} message={message} />
        ))}
      </ul>
      <More of={messages} />
    </>
  );
}

/** Whether a text can be sent again: one without a phone number cannot. */
function isResendable({ status, reason }: Message): boolean {
  return status === "FAILED" && reason !== "no_number";
}

export function MessageRow({ message }: { message: Message }) {
  const { done, refused } = useNotices();
  const resend = useCall("resend-message", {
    deadline: longestAway,
    onError: (error) => isUnanswered(error) || refused(error),
  });
  const { status, reason } = message;
  const timeOf = useTimeOf();
  return (
    <li className={`message ${status.toLowerCase()}`}>
      <p>{message.body}</p>
      <small>
        {texts.message[status]} {timeOf(message.sent_at ?? message.created_at)}
        {reason && <span className="reason">{reasonOfText(reason)}</span>}
      </small>
      {isResendable(message) && (
        <Button
          className="small"
          isPending={resend.isPending}
          onPress={() => resend.mutate([message.id], { onSuccess: () => done(texts.messages.queued) })}
        >
          {texts.pickup.resend}
        </Button>
      )}
    </li>
  );
}

/** Says what a failure's reason means, as far as it is known here. */
function reasonOfText(reason: string): string {
  return texts.messages.reasons[reason] ?? texts.messages.refused(reason.replaceAll("_", " "));
}

/** Reads again what waits to be sent: the stream has pickups, not their texts. */
function useUntilSent(isQueued: boolean, read: () => void): void {
  useEffect(() => {
    if (!isQueued) return undefined;
    const timer = setInterval(read, 3_000);
    return () => clearInterval(timer);
  }, [isQueued]);
}
