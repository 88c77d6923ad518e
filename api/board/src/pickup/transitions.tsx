import type { Schema } from "@waybill/client";
import { useCall, useList, type WriteId } from "@waybill/client/react";
import { type FormEvent, useMemo, useState } from "react";
import { Button, Dialog, DialogTrigger, Form, Heading, Modal, ModalOverlay } from "react-aria-components";

import { isUnanswered, longestAway } from "../outbox";
import { Field } from "../parts/form";
import { useNotices } from "../parts/notices";
import { useSession } from "../session";
import { texts } from "../texts";

export type Pickup = Schema<"Pickup">;
export type Rule = Schema<"TransitionRule">;
export type Status = Schema<"PickupStatus">;

/** The rules of transitions, as the server has them: which the viewer may make, and from which statuses. */
export function useRules(): Rule[] {
  const { role } = useSession().user;
  const rules = useList("list-pickup-transitions").data;
  return useMemo(() => (rules ?? []).filter((rule) => rule.roles.includes(role)), [rules, role]);
}

type TransitionId = WriteId & `${Schema<"TransitionName">}-pickup`;

/** Makes a transition. The card shows at once what it leads to, and comes back with the reason if it is refused. */
export function useTransition({ transition, to_status, has_driver }: Rule) {
  const { refused } = useNotices();
  const make = useCall(`${transition}-pickup` as TransitionId, {
    deadline: longestAway,
    onError: (error) => isUnanswered(error) || refused(error), // the outbox has what was not answered
    predict: (_id, body?: object) => ({
      status: to_status,
      ...(body && "driver_id" in body && { driver_id: body.driver_id as string }),
      ...(!has_driver && { driver_id: null }),
    }),
  });
  const run = (...args: Parameters<typeof make.mutate>[0]) => make.mutate(args);
  return { run, isPending: make.isPending };
}

/** The buttons for what the viewer may do with a pickup now, but to assign a named driver. */
export function Transitions({ pickup }: { pickup: Pickup }) {
  const rules = useRules().filter((r) => r.from_statuses.includes(pickup.status) && r.transition !== "assign");
  return (
    <div className="transitions">
      {rules.map((rule) =>
        rule.transition === "cancel" ? (
          <Cancel key={rule.transition} pickup={pickup} rule={rule} />
        ) : (
          <Transition key={rule.transition} pickup={pickup} rule={rule} />
        ),
      )}
    </div>
  );
}

function Transition({ pickup, rule }: { pickup: Pickup; rule: Rule }) {
  const make = useTransition(rule);
  return (
    <Button
      className={rule.transition === "release" ? "" : "primary"}
      isPending={make.isPending}
      onPress={() => make.run(pickup.id)}
    >
      {texts.transition[rule.transition]}
    </Button>
  );
}

function Cancel({ pickup, rule }: { pickup: Pickup; rule: Rule }) {
  const make = useTransition(rule);
  const [reason, setReason] = useState("");
  return (
    <DialogTrigger>
      <Button className="danger">{texts.transition.cancel}</Button>
      <ModalOverlay className="overlay" isDismissable>
        <Modal className="modal">
          <Dialog>
            {({ close }) => (
              <Form
                onSubmit={(event: FormEvent) => {
                  event.preventDefault();
                  make.run(pickup.id, reason.trim() ? { reason: reason.trim() } : {});
                  close();
                }}
              >
                <Heading slot="title">{texts.pickup.cancelTitle}</Heading>
                <Field
                  label={texts.pickup.cancelReason}
                  hint={texts.pickup.cancelHint}
                  value={reason}
                  onChange={setReason}
                  autoFocus
                />
                <div className="actions">
                  <Button onPress={close}>{texts.pickup.keep}</Button>
                  <Button type="submit" className="danger">
                    {texts.transition.cancel}
                  </Button>
                </div>
              </Form>
            )}
          </Dialog>
        </Modal>
      </ModalOverlay>
    </DialogTrigger>
  );
}
