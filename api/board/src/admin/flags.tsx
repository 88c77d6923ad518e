import { useQueryClient } from "@tanstack/react-query";
import type { Schema } from "@waybill/client";
import { Refused } from "@waybill/client";
import { useList, useWaybill } from "@waybill/client/react";
import { Switch } from "react-aria-components";

import { useNotices } from "../parts/notices";
import { Heading, Instead, More } from "../parts/page";
import { texts } from "../texts";

/** The switches of features. */
export function Flags() {
  const list = useList("list-flags");
  return (
    <div className="narrow">
      <Heading title={texts.admin.flags}>{texts.admin.flags}</Heading>
      <section className="card">
        <Instead of={list} />
        <ul className="rows">
          {list.data?.map((flag) => (
            <li key={flag.name} className="row between">
              <FlagSwitch flag={flag} />
            </li>
          ))}
        </ul>
        <More of={list} />
      </section>
    </div>
  );
}

function FlagSwitch({ flag }: { flag: Schema<"Flag"> }) {
  const waybill = useWaybill();
  const cache = useQueryClient();
  const { refused } = useNotices();
  const set = async (enabled: boolean) => {
    const result = await waybill.flags.set(flag, { enabled });
    if (!result.ok) refused(new Refused(result.error as Schema<"Problem">));
    await cache.invalidateQueries({ queryKey: ["list-flags"] });
  };
  return (
    <Switch isSelected={flag.enabled} onChange={(on) => void set(on)}>
      <span className="switch" aria-hidden="true" />
      <code>{flag.name}</code> {flag.enabled ? texts.admin.on : texts.admin.off}
    </Switch>
  );
}
