import type { HttpRequest, HttpResponse } from "../../src/core/index.ts";
import type { Peer } from "../../src/system/simulated/index.ts";
import type { PeerModel } from "./http-peer-model.ts";

/** A model of a peer as a simulated network has it. Its faults other than answers have no meaning here. */
export function simulatedPeer(model: PeerModel): Peer {
  return ({ method, url, headers = {}, body = "" }: HttpRequest): HttpResponse => {
    const { pathname, search } = new URL(url);
    const { answer } = model.take({ method, target: pathname + search, headers, body: Buffer.from(body).toString("utf8") });
    const text = answer.body === undefined ? "" : typeof answer.body === "string" ? answer.body : JSON.stringify(answer.body);
    return { status: answer.status, headers: { "content-type": "application/json", ...answer.headers }, body: Buffer.from(text) };
  };
}
