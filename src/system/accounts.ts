import { type System, SystemFault } from "../core/index.ts";
import { readWhole } from "./read-file.ts";

/** Names of accounts and groups by number and back, from the system's files, and from getent for what is not there. */
export class Accounts {
  private readonly system: System;
  private users: Table | undefined;
  private groups: Table | undefined;

  constructor(system: System) {
    this.system = system;
  }

  /** Forgets all: an account may have come or gone. */
  forget(): void {
    this.users = undefined;
    this.groups = undefined;
  }

  /** The account's name; its number as a text where it has none. */
  user(uid: number): string {
    this.users ??= new Table(this.system, "passwd");
    return this.users.name(uid);
  }

  group(gid: number): string {
    this.groups ??= new Table(this.system, "group");
    return this.groups.name(gid);
  }

  /** The number of an account given by name or number; throws SystemFault where there is none. */
  uid(owner: string): number {
    this.users ??= new Table(this.system, "passwd");
    return this.users.id(owner);
  }

  gid(group: string): number {
    this.groups ??= new Table(this.system, "group");
    return this.groups.id(group);
  }
}

class Table {
  private readonly names = new Map<number, string>();
  private readonly ids = new Map<string, number>();
  private readonly system: System;
  private readonly database: "passwd" | "group";

  constructor(system: System, database: "passwd" | "group") {
    this.system = system;
    this.database = database;
    this.take(readWhole(system.files, `/etc/${database}`)?.toString("utf8") ?? "");
  }

  private take(lines: string): void {
    for (const line of lines.split("\n")) {
      const [name, , number] = line.split(":");
      if (!name || number === undefined || !/^\d+$/.test(number)) continue;
      const id = Number(number);
      if (!this.names.has(id)) this.names.set(id, name);
      if (!this.ids.has(name)) this.ids.set(name, id);
    }
  }

  private askSystem(key: string): void {
    const ran = this.system.processes.runNow({ argv: ["getent", this.database, key] });
    if (ran.code === 0) this.take(ran.stdout);
  }

  name(id: number): string {
    if (!this.names.has(id)) {
      this.askSystem(String(id));
      if (!this.names.has(id)) this.names.set(id, String(id));
    }
    return this.names.get(id) as string;
  }

  id(owner: string): number {
    const known = this.ids.get(owner);
    if (known !== undefined) return known;
    if (/^\d+$/.test(owner)) return Number(owner);
    this.askSystem(owner);
    const found = this.ids.get(owner);
    if (found === undefined)
      throw new SystemFault(
        `unknown-${this.database === "passwd" ? "user" : "group"}`,
        `there is no ${this.database === "passwd" ? "account" : "group"} named ${owner}`,
      );
    return found;
  }
}
