import { type SqlOptions, type SqlSession, SystemFault, sqlPlace } from "../../core/index.ts";

/** Opens a session with the driver that the URL's scheme asks for. Throws SystemFault. */
export async function openSql(url: string, options: SqlOptions = {}): Promise<SqlSession> {
  const place = sqlPlace(url);
  if (place === undefined)
    throw new SystemFault("not-a-url", "this is no URL of a database: postgresql://, mariadb://, mysql:// or sqlite:///path", {
      peer: { retry: false, counts: false },
    });
  switch (place.dialect) {
    case "postgresql":
      return (await import("./real-sql-postgresql.ts")).openPostgresql(url, place, options);
    case "mariadb":
      return (await import("./real-sql-mariadb.ts")).openMariadb(url, place, options);
    case "sqlite":
      return (await import("./real-sql-sqlite.ts")).openSqlite(place, options);
  }
}
