import { type Contents, quoteText, type SqlOperation, SystemFault } from "../../core/index.ts";
import type { ActionContext, Prepared } from "../workbench.ts";
import { type Remotes, sqlOrigin } from "./remotes.ts";
import { beginSql, isCommitted } from "./sql-performer.ts";

/** What a server says of a prepared transaction that it does not have (PostgreSQL's undefined_object, MariaDB's XAER_NOTA). */
const MISSING: ReadonlySet<string> = new Set(["42704", "XAE04"]);
const TIMEOUT = 60_000;

/**
 * One participant of a two-phase transaction (reliability.md §8.2). Its work and its PREPARE are its vote; after that it can
 * neither fail nor go on by itself, and lives on when the connection, setpoint or the server goes.
 */
export function prepareSql(remotes: Remotes, contents: Contents, operation: SqlOperation, context: ActionContext, gid: string): Prepared {
  const origin = sqlOrigin(operation.url);
  const probe = () => remotes.databases.ask({ url: operation.url, text: "SELECT 1" });
  let voted = false;
  return {
    origin,
    async vote() {
      await remotes.peers.tell(
        origin,
        async () => {
          const open = await beginSql(remotes, contents, operation, context, gid);
          if (open === "already") return;
          // Whether its answer is lost or not: it may stand prepared from here on.
          voted = true;
          await open.vote().catch(withMend);
        },
        probe,
      );
    },
    commit: async () => {
      if (voted) await endPrepared(remotes, operation, context, gid, "commit");
    },
    abandon: async () => {
      if (voted) await endPrepared(remotes, operation, context, gid, "abort");
    },
  };
}

function withMend(thrown: unknown): never {
  if (thrown instanceof SystemFault && thrown.code === "55000")
    throw new SystemFault(thrown.code, `${thrown.message}: set max_prepared_transactions above 0 on that server, or use \`mode: saga\``, {
      peer: { retry: false, counts: false },
      cause: thrown,
    });
  throw thrown;
}

/**
 * Ends a participant as it was decided. One that is not there any more was ended before: with a commit its receipt must be there,
 * or somebody took it back by hand. Throws SystemFault: `taken-back` for that, else what the server said.
 */
export async function endPrepared(
  remotes: Remotes,
  operation: SqlOperation,
  context: ActionContext,
  gid: string,
  decision: "commit" | "abort",
): Promise<void> {
  const { url } = operation;
  const origin = sqlOrigin(url);
  const probe = () => remotes.databases.ask({ url, text: "SELECT 1" });
  const end = () =>
    remotes.databases.within(url, { timeout: TIMEOUT }, async (session) => {
      const name = quoteText(session.dialect, gid);
      const verb = decision === "commit" ? "COMMIT" : "ROLLBACK";
      try {
        await session.query(session.dialect === "mariadb" ? `XA ${verb} ${name}` : `${verb} PREPARED ${name}`);
        return true;
      } catch (thrown) {
        if (thrown instanceof SystemFault && MISSING.has(thrown.code)) return false;
        throw thrown;
      }
    });
  const wasThere = await remotes.peers.tell(origin, end, probe);
  if (wasThere || decision === "abort" || (await isCommitted(remotes, operation, context))) return;
  throw new SystemFault(
    "taken-back",
    `${origin} has neither the prepared transaction ${gid} nor its receipt: somebody rolled it back by hand after all participants had voted`,
    { mutated: "maybe", peer: { retry: false, counts: false } },
  );
}
