import { originOf, type StoreOperation, SystemFault } from "../../core/index.ts";
import type { ActionContext, Prepared, Workbench } from "../workbench.ts";

/** Sets or removes a key, if it still is as it was read; what it holds now is kept. */
export function setStored(bench: Workbench, operation: StoreOperation, { standing }: ActionContext): Prepared {
  const { remotes, contents } = bench.parts;
  const { store, key, put, revision } = operation;
  const origin = originOf(store.url);
  if (standing !== undefined) bench.parts.keepContent(standing);
  const value = put && {
    value: contents.bytes(put.content),
    ...(put.ttl !== undefined && { ttl: put.ttl }),
    ...(put.type !== undefined && { type: put.type }),
  };
  const send = () =>
    remotes.stores.use(store, async (session) => {
      const isSet = value ? await session.put(key, value, revision) : revision === undefined || (await session.remove(key, revision));
      if (!isSet)
        throw new SystemFault("precondition", `${origin}: ${key} was changed by somebody else just now`, {
          peer: { retry: true, counts: false },
        });
    });
  const probe = () => remotes.stores.use(store, (session) => session.get(key));
  return { origin, commit: () => remotes.peers.tell(origin, send, probe), abandon: () => undefined };
}
