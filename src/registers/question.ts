import {
  isObject,
  type Json,
  NO_TABLE,
  partAt,
  type Reader,
  type RequestData,
  receiptStatement,
  SystemFault,
  sameJson,
  sqlPlace,
  withTexts,
} from "../core/index.ts";

/** A question to another machine whose answer tells whether an effect happened. `{key}` in it stands for the effect's key. */
export type Question = WebQuestion | ReceiptQuestion;

/** Whether a database has the receipt of an effect: it was committed together with it. */
export type ReceiptQuestion = {
  readonly receipt: { readonly url: string /** What a transaction under it began must have ended. */; readonly lock: string };
};

type WebQuestion = {
  readonly http: RequestData;
  /** Fields that an object of the answer has, if it happened: the answer itself, or one of the list in it. Left out: it is there at all. */
  readonly where?: { readonly [path: string]: Json };
};

/** Asks it. What it finds is given where there is something to give. Throws SystemFault where there is no answer. */
export async function asked(question: Question, key: string, reader: Reader): Promise<"happened" | "not" | { readonly gave: Json }> {
  if ("receipt" in question) return (await hasReceipt(question as ReceiptQuestion, key, reader)) ? "happened" : "not";
  const { http, where } = withTexts(question, (text) => text.replaceAll("{key}", key)) as WebQuestion;
  const response = await reader.remote.http({ ...http, method: "GET" });
  if (response.status >= 300) return "not";
  let answer: Json;
  try {
    answer = JSON.parse(response.body.toString("utf8")) as Json;
  } catch {
    return where === undefined ? "happened" : "not"; // what is no JSON has none of the fields
  }
  if (where === undefined) return { gave: { body: answer } };
  const found = candidates(answer).find((one) =>
    Object.entries(where).every(([path, value]) => sameJson(partAt(one, path.split(".")), value)),
  );
  return found === undefined ? "not" : { gave: { body: found } };
}

async function hasReceipt({ receipt: { url, lock } }: ReceiptQuestion, key: string, reader: Reader): Promise<boolean> {
  const dialect = sqlPlace(url)?.dialect ?? "postgresql";
  try {
    const rows = await reader.remote.sql({ url, text: receiptStatement(dialect), values: [key], after: lock });
    return rows !== undefined && rows.length > 0;
  } catch (thrown) {
    // Without a table there is no receipt.
    if (thrown instanceof SystemFault && NO_TABLE.has(thrown.code)) return false;
    throw thrown;
  }
}

/** The answer itself, its items, or those of the lists in it, as APIs wrap them: `{ data: [ … ] }`. */
function candidates(answer: Json): readonly Json[] {
  if (Array.isArray(answer)) return answer as Json[];
  if (!isObject(answer)) return [];
  return [answer, ...Object.values(answer).flatMap((value) => (Array.isArray(value) ? (value as Json[]) : []))];
}
