import { fields, type RegisterId, resourceType } from "../core/index.ts";
import { pathRegister } from "../registers/index.ts";
import { mannerOf } from "./attributes.ts";
import { gone, pathSetting } from "./paths.ts";

const { boolean, choice, path } = fields;

/** A symbolic link, or a second name of a file. */
export const link = resourceType({
  type: "link",
  summary: "A symbolic link, or a hard link: a second name of a file.",
  notes:
    "`to` is kept as it is written, so a relative one is relative to the link's own folder; what it leads to need not exist. `hard` names a file that exists or is declared.",
  example: [
    "- link: /etc/nginx/sites-enabled/site",
    "  to: ../sites-available/site",
    "- file: /srv/data/current.db",
    "- link: /srv/data/latest.db",
    "  hard: /srv/data/current.db",
  ].join("\n"),
  fields: {
    link: path("Path of the link."),
    state: choice(["present", "absent"], "Whether the link exists.").or("present"),
    to: path("What the symbolic link leads to, kept as written; `~/` is the home folder.").optional(),
    hard: path("The file that this is to be a second name of.").optional(),
    replace: boolean("Take the place of a file or an empty folder that stands there.").or(false),
  },

  check(spec, report) {
    if (spec.to !== undefined && spec.hard !== undefined)
      report({
        code: "link-twice",
        summary: "two fields say where the link leads",
        detail: "`to` makes a symbolic link and `hard` a hard link: keep one of them",
        field: ["hard"],
      });
    if (spec.to === undefined && spec.hard === undefined && spec.state === "present")
      report({
        code: "link-nowhere",
        summary: "a link leads nowhere",
        detail: "say where it leads: `to` for a symbolic link, `hard` for a second name of a file",
      });
  },

  settings(spec, world) {
    const key = world.target(spec.link);
    const manner = mannerOf(spec, world);
    // A hard link is a file like any other, so only who declares it as one may take it away so.
    if (spec.state === "absent") return [gone(key, spec.replace ? {} : { only: spec.hard === undefined ? "symlink" : "file" }, manner)];
    if (spec.hard === undefined) {
      const to = spec.to ?? "";
      return [pathSetting(key, "symlink", { to: to.startsWith("~/") ? world.target(to) : to }, ["target"], manner)];
    }
    const other = world.target(spec.hard);
    if (other === key) {
      world.report({
        code: "link-to-itself",
        summary: "a link leads to itself",
        detail: `${key} cannot be a second name of itself`,
        field: ["hard"],
      });
      return [];
    }
    return [
      {
        register: pathRegister(key, other),
        goal: "hard-link",
        want: { to: other },
        aspects: ["target"],
        reads: [`path:${other}` as RegisterId],
        ...manner,
      },
    ];
  },
});
