import { type ReactNode, useState } from "react";
import { Button, Dialog, DialogTrigger, Heading, Modal, ModalOverlay } from "react-aria-components";

import { Field } from "../parts/form";
import { useNotices } from "../parts/notices";
import { texts } from "../texts";

const { webhooks } = texts.admin;

/** Shows a secret that the server shows once: until the dialog is closed, and in no storage. */
export function Secret({ secret, onClose }: { secret: string | undefined; onClose: () => void }) {
  const [copied, setCopied] = useState(false);
  const { refused } = useNotices();
  const close = () => {
    setCopied(false);
    onClose();
  };
  const copy = () => navigator.clipboard.writeText(secret ?? "").then(() => setCopied(true), refused);
  return (
    <ModalOverlay className="overlay" isOpen={secret !== undefined} onOpenChange={(is) => !is && close()}>
      <Modal className="modal">
        <Dialog className="secret">
          <Heading slot="title">{webhooks.secretTitle}</Heading>
          <p>{webhooks.secretText}</p>
          <Field label={webhooks.secret} value={secret ?? ""} onChange={() => {}} isReadOnly autoComplete="off" />
          <div className="actions">
            <Button onPress={() => void copy()}>{copied ? webhooks.copied : webhooks.copy}</Button>
            <Button className="primary" onPress={close}>
              {webhooks.stored}
            </Button>
          </div>
        </Dialog>
      </Modal>
    </ModalOverlay>
  );
}

type AskProps = {
  button: string;
  title: string;
  text: ReactNode;
  danger?: boolean;
  isPending: boolean;
  run: () => void;
};

/** A button that asks before it does what cannot be undone. */
export function Ask({ button, title, text, danger = false, isPending, run }: AskProps) {
  return (
    <DialogTrigger>
      <Button className={danger ? "danger" : ""} isPending={isPending}>
        {button}
      </Button>
      <ModalOverlay className="overlay" isDismissable>
        <Modal className="modal">
          <Dialog role="alertdialog" className="secret">
            {({ close }) => (
              <>
                <Heading slot="title">{title}</Heading>
                <p>{text}</p>
                <div className="actions">
                  <Button onPress={close} autoFocus>
                    {webhooks.keep}
                  </Button>
                  <Button
                    className={danger ? "danger" : "primary"}
                    onPress={() => {
                      close();
                      run();
                    }}
                  >
                    {button}
                  </Button>
                </div>
              </>
            )}
          </Dialog>
        </Modal>
      </ModalOverlay>
    </DialogTrigger>
  );
}
