import { useList, useValue, useWaybill } from "@waybill/client/react";
import { Button } from "react-aria-components";

import { fullTimeOf, moneyOf, shortId } from "../format";
import { Heading, Instead, More } from "../parts/page";
import { Link } from "../router";
import { useGate } from "../session";
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
        {id === undefined ? <p className="hint">{texts.admin.choose}</p> : <Statement key={id} id={id} />}
      </div>
    </div>
  );
}

const month = 30 * 24 * 3_600_000;

function Statement({ id }: { id: string }) {
  const { range, fields } = useDays(new Date(Date.now() - month).toISOString().slice(0, 10));
  const statement = useValue("get-account-statement", id, range);
  const { data } = statement;
  return (
    <section className="card statement">
      <h2>{texts.admin.statement}</h2>
      {fields}
      <Instead of={statement} />
      {data && (
        <>
          <table className="table">
            <thead>
              <tr>
                <th scope="col">{texts.admin.booked}</th>
                <th scope="col">{texts.admin.kind}</th>
                <th scope="col" className="number">
                  {texts.admin.amount}
                </th>
                <th scope="col" className="number">
                  {texts.admin.after}
                </th>
              </tr>
            </thead>
            <tbody>
              <tr className="sum">
                <th scope="row" colSpan={3}>
                  {texts.admin.opening}
                </th>
                <td className="number">{moneyOf(data.opening_cents, data.currency)}</td>
              </tr>
              {data.items.map((line, i) => (
                <tr key={i}>
                  <td>{fullTimeOf(line.created_at)}</td>
                  <td>
                    {texts.admin.entry[line.kind] ?? line.kind}{" "}
                    {line.pickup_id && <Link to={["pickups", line.pickup_id]}>{shortId(line.pickup_id)}</Link>}{" "}
                    {line.note}
                  </td>
                  <td className="number">{moneyOf(line.delta_cents, data.currency)}</td>
                  <td className="number">{moneyOf(line.balance_cents, data.currency)}</td>
                </tr>
              ))}
              <tr className="sum">
                <th scope="row" colSpan={3}>
                  {texts.admin.closing}
                </th>
                <td className="number">{moneyOf(data.closing_cents, data.currency)}</td>
              </tr>
            </tbody>
          </table>
          <Download id={id} range={range} />
        </>
      )}
    </section>
  );
}

/** The same statement as a file. */
function Download({ id, range }: { id: string; range: { from?: string; to?: string } }) {
  const { client } = useWaybill();
  const { session } = useGate();
  const save = async () => {
    const { data } = await client.GET("/v1/accounts/{account_id}/statement", {
      params: { path: { account_id: id }, query: range },
      headers: { Accept: "text/csv" },
      parseAs: "blob",
    });
    if (!data || !session) return;
    const link = document.createElement("a");
    link.href = URL.createObjectURL(data as Blob);
    link.download = `statement-${id}.csv`;
    link.click();
    URL.revokeObjectURL(link.href);
  };
  return <Button onPress={() => void save()}>{texts.admin.csv}</Button>;
}
