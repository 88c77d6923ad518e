import { type NoAnswer, Refused } from "@waybill/client";
import { useList, useValue, useWaybill } from "@waybill/client/react";
import { useState } from "react";
import { Button } from "react-aria-components";

import { fullTimeOf, localOf, moneyOf, shortId } from "../format";
import { useNotices } from "../parts/notices";
import { Heading, Instead, More } from "../parts/page";
import { Link } from "../router";
import { texts } from "../texts";
import { useDays } from "./days";

/** The accounts, and the statement of one. */
export function Accounts({ id }: { id: string | undefined }) {
  const list = useList("list-accounts");
  return (
    <div>
      <Heading title={texts.admin.accounts}>{texts.admin.accounts}</Heading>
      <div className="halves">
        <section className="card">
          <Instead of={list} />
          <ul className="rows">
            {list.data?.map((account) => (
              <li key={account.id} className="row between">
                <Link to={["accounts", account.id]} current={account.id === id}>
                  {account.name}
                </Link>
                <b>{moneyOf(account.balance_cents, account.currency)}</b>
              </li>
            ))}
          </ul>
          <More of={list} />
        </section>
        {id === undefined ? (
          <p className="hint">{texts.admin.choose}</p>
        ) : (
          <Statement key={id} id={id} name={list.data?.find((account) => account.id === id)?.name} />
        )}
      </div>
    </div>
  );
}

const month = 30 * 24 * 3_600_000;

function Statement({ id, name }: { id: string; name: string | undefined }) {
  const { range, fields } = useDays(localOf(new Date(Date.now() - month)).slice(0, 10));
  const statement = useValue("get-account-statement", id, range);
  const { data } = statement;
  return (
    <section className="card statement">
      <h2>{name === undefined ? texts.admin.statement : texts.admin.statementOf(name)}</h2>
      {fields}
      <Instead of={statement} />
      {data && (
        <>
          <table className="table of-lines" role="table">
            <thead role="rowgroup">
              <tr role="row">
                <th scope="col" role="columnheader">
                  {texts.admin.booked}
                </th>
                <th scope="col" role="columnheader">
                  {texts.admin.kind}
                </th>
                <th scope="col" role="columnheader" className="number">
                  {texts.admin.amount}
                </th>
                <th scope="col" role="columnheader" className="number">
                  {texts.admin.after}
                </th>
              </tr>
            </thead>
            <tbody role="rowgroup">
              <tr role="row" className="sum">
                <th scope="row" role="rowheader" colSpan={3}>
                  {texts.admin.opening}
                </th>
                <td role="cell" className="number">
                  {moneyOf(data.opening_cents, data.currency)}
                </td>
              </tr>
              {data.items.map((line, i) => (
                <tr key={i} role="row">
                  <td role="cell">{fullTimeOf(line.created_at)}</td>
                  <td role="cell">
                    {texts.admin.entry[line.kind] ?? line.kind}{" "}
                    {line.pickup_id && <Link to={["pickups", line.pickup_id]}>{shortId(line.pickup_id)}</Link>}
                    {line.note && <small className="note">{line.note}</small>}
                  </td>
                  <td role="cell" className="number">
                    {moneyOf(line.delta_cents, data.currency)}
                  </td>
                  <td role="cell" className="number">
                    {moneyOf(line.balance_cents, data.currency)}
                  </td>
                </tr>
              ))}
              <tr role="row" className="sum">
                <th scope="row" role="rowheader" colSpan={3}>
                  {texts.admin.closing}
                </th>
                <td role="cell" className="number">
                  {moneyOf(data.closing_cents, data.currency)}
                </td>
              </tr>
            </tbody>
          </table>
          <Download id={id} range={range} />
        </>
      )}
    </section>
  );
}

const unanswered = new Refused<NoAnswer>({ code: "no_answer", detail: "" });

/** The same statement as a file. */
function Download({ id, range }: { id: string; range: { from?: string; to?: string } }) {
  const { client } = useWaybill();
  const { refused } = useNotices();
  const [reading, setReading] = useState(false);
  const read = async () => {
    const { data, error } = await client.GET("/v1/accounts/{account_id}/statement", {
      params: { path: { account_id: id }, query: range },
      headers: { Accept: "text/csv" },
      parseAs: "blob",
    });
    if (error) throw new Refused(error);
    save(data as Blob);
  };
  const save = (data: Blob) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(data);
    link.download = `statement-${id}.csv`;
    link.click();
    URL.revokeObjectURL(link.href);
  };
  const press = () => {
    setReading(true);
    const failed = (error: unknown) => refused(error instanceof Refused ? error : unanswered);
    void read()
      .catch(failed)
      .finally(() => setReading(false));
  };
  return (
    <Button isPending={reading} onPress={press}>
      {texts.admin.csv}
    </Button>
  );
}
