import { useCall, useList } from "@waybill/client/react";
import { Button } from "react-aria-components";

import { useFacilities, UserName } from "../names";
import { ChoiceField } from "../parts/form";
import { useNotices } from "../parts/notices";
import { Heading, Instead, More } from "../parts/page";
import { FacilityName } from "../names";
import { texts } from "../texts";

/** Who sees what: the members of each group see its facilities. */
export function Groups() {
  const groups = useList("list-groups");
  return (
    <div>
      <Heading title={texts.admin.groups}>{texts.admin.groups}</Heading>
      <Instead of={groups} empty={texts.admin.groupNone} />
      <div className="groups">
        {groups.data?.map(({ id, name }) => (
          <section key={id} className="card group" aria-label={name}>
            <h2>{name}</h2>
            <Members id={id} />
            <span className="sees" aria-hidden="true">
              →
            </span>
            <Facilities id={id} />
          </section>
        ))}
      </div>
      <More of={groups} />
    </div>
  );
}

function Members({ id }: { id: string }) {
  const members = useList("list-group-members", id);
  const users = useList("list-users", { role: "staff", active: true, limit: 200 }).data ?? [];
  const add = useCall("add-group-member");
  const remove = useCall("remove-group-member");
  const { refused } = useNotices();
  const inside = new Set(members.data?.map(({ user_id }) => user_id));
  return (
    <div>
      <h3>{texts.admin.members}</h3>
      <Instead of={members} />
      <ul className="chips">
        {members.data?.map(({ user_id }) => (
          <li key={user_id}>
            <UserName id={user_id} />
            <Button
              className="plain"
              aria-label={texts.admin.remove}
              isPending={remove.isPending}
              onPress={() => remove.mutate([id, user_id], { onError: refused })}
            >
              ×
            </Button>
          </li>
        ))}
      </ul>
      <More of={members} />
      <ChoiceField
        label={texts.admin.addMember}
        choices={users.filter((user) => !inside.has(user.id))}
        value={undefined}
        onChange={(user) => user && add.mutate([id, user], { onError: refused })}
      />
    </div>
  );
}

function Facilities({ id }: { id: string }) {
  const listed = useList("list-group-facilities", id);
  const facilities = useFacilities();
  const add = useCall("add-group-facility");
  const remove = useCall("remove-group-facility");
  const { refused } = useNotices();
  const inside = new Set(listed.data?.map(({ facility_id }) => facility_id));
  return (
    <div>
      <h3>{texts.admin.facilities}</h3>
      <Instead of={listed} />
      <ul className="chips">
        {listed.data?.map(({ facility_id }) => (
          <li key={facility_id}>
            <FacilityName id={facility_id} />
            <Button
              className="plain"
              aria-label={texts.admin.remove}
              isPending={remove.isPending}
              onPress={() => remove.mutate([id, facility_id], { onError: refused })}
            >
              ×
            </Button>
          </li>
        ))}
      </ul>
      <More of={listed} />
      <ChoiceField
        label={texts.admin.addFacility}
        choices={facilities.filter((f) => !inside.has(f.id))}
        value={undefined}
        onChange={(facility) => facility && add.mutate([id, facility], { onError: refused })}
      />
    </div>
  );
}
