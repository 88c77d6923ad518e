import { type ReactNode, useId } from "react";
import {
  FieldError,
  Input,
  type Key,
  Label,
  ListBox,
  ListBoxItem,
  Popover,
  Select,
  Button,
  SelectValue,
  Text,
  TextField,
} from "react-aria-components";

import { texts } from "../texts";

type FieldProps = {
  label: string;
  value: string;
  onChange: (value: string) => void;
  type?: string;
  name?: string;
  hint?: ReactNode;
  error?: string | undefined;
  isRequired?: boolean;
  isReadOnly?: boolean;
  autoComplete?: string;
  autoFocus?: boolean;
  inputMode?: "decimal" | "text" | "search";
  placeholder?: string;
  /** What the browser offers; something else can be typed. */
  offers?: readonly string[];
};

/** A labelled input. */
export function Field({ label, hint, error, placeholder, offers, ...rest }: FieldProps) {
  const listId = useId();
  return (
    <TextField {...rest} isInvalid={error !== undefined} className="field">
      <Label>{label}</Label>
      <Input {...(placeholder !== undefined && { placeholder })} {...(offers && { list: listId })} />
      {offers && (
        <datalist id={listId}>
          {offers.map((offer) => (
            <option key={offer} value={offer} />
          ))}
        </datalist>
      )}
      {hint && <Text slot="description">{hint}</Text>}
      <FieldError>{error}</FieldError>
    </TextField>
  );
}

export type Choice = { id: string; name: string; more?: string };

type ChoiceProps = {
  label: string;
  choices: Choice[];
  value: string | undefined;
  onChange: (id: string | undefined) => void;
  /** What stands for no choice; without it, one must be made. */
  none?: string;
};

const nothing = "";

/** One of several. */
export function ChoiceField({ label, choices, value, onChange, none }: ChoiceProps) {
  const all = none === undefined ? choices : [{ id: nothing, name: none }, ...choices];
  return (
    <Select
      className="field"
      placeholder={texts.choose}
      value={value ?? (none === undefined ? null : nothing)}
      onChange={(key: Key | null) => onChange(key === nothing || key === null ? undefined : String(key))}
    >
      <Label>{label}</Label>
      <Button className="select">
        <SelectValue />
        <span aria-hidden="true">▾</span>
      </Button>
      <Popover className="popover">
        <ListBox items={all}>
          {(choice) => (
            <ListBoxItem id={choice.id} textValue={choice.name}>
              {choice.name}
              {"more" in choice && choice.more && <small>{choice.more}</small>}
            </ListBoxItem>
          )}
        </ListBox>
      </Popover>
    </Select>
  );
}
