import { type Exchange, type PlaceData, type StoreSession, SystemFault } from "../../core/index.ts";

/** A session with the store at a URL. Throws SystemFault. */
export async function openStore(place: PlaceData, http: Exchange): Promise<StoreSession> {
  const scheme = new URL(place.url).protocol.slice(0, -1);
  switch (scheme) {
    case "redis":
    case "rediss":
      return (await import("./real-store-redis.ts")).openRedisStore(place);
    case "etcd":
    case "etcd+https":
      return (await import("./real-store-etcd.ts")).openEtcd(place, http);
    case "consul":
    case "consul+https":
      return (await import("./real-store-consul.ts")).openConsul(place, http);
    case "s3":
    case "s3+http":
      return (await import("./real-store-s3.ts")).openS3(place, http);
    default:
      throw new SystemFault("unknown-protocol", `this version knows no store of the kind ${scheme}://`, {
        peer: { retry: false, counts: false },
      });
  }
}
