import { fields, resourceType } from "../core/index.ts";
import { account, attributeFields, attributesWanted, mannerOf, mode } from "./attributes.ts";
import { globMatcher, loadGlobs } from "./globs.ts";
import { missingParents, pathSetting } from "./paths.ts";
import { recursed, removedTree, swept } from "./sweep.ts";

const { boolean, choice, listOf, mapping, path, text } = fields;

/** A folder. */
export const directory = resourceType({
  type: "directory",
  summary: "A folder: that it exists, its mode, owner and group, and what may be in it.",
  notes: [
    "Folders above it that do not exist are made with the mode 0755, unless `parents: false`.",
    "`recurse` sets owner, group and modes of all that is found in it; `exact` removes from it what no resource declares.",
    "Both leave alone what another resource names, follow no symbolic links and stay on the folder's own file system.",
    "`state: absent` removes the folder with all that is in it.",
  ].join("\n"),
  example: [
    "- directory: /srv/site",
    "  owner: root",
    "  mode: '0755'",
    "- directory: /etc/nginx/conf.d",
    "  exact: true",
    "  exclude: [ 'local-*.conf' ]",
    "- directory: /srv/cache",
    "  recurse: { owner: root, file_mode: u=rw, directory_mode: u=rwx }",
    "- directory: /srv/old",
    "  state: absent",
  ].join("\n"),
  many: true,
  fields: {
    directory: path("Path of the folder, or a list of paths that share the fields."),
    state: choice(["present", "absent"], "Whether the folder exists; `absent` removes it with all that is in it.").or("present"),
    ...attributeFields,
    parents: boolean("Make missing folders above it.").or(true),
    replace: boolean("Take the place of a file or symbolic link that stands there.").or(false),
    recurse: mapping(
      {
        owner: account("Owner of all that is in the folder.").optional(),
        group: account("Group of all that is in the folder.").optional(),
        file_mode: mode("Mode of the files.").optional(),
        directory_mode: mode("Mode of the folders.").optional(),
      },
      "Attributes for all that is found in the folder and that no other resource names.",
    ).optional(),
    exact: boolean("Remove from the folder what no resource declares.").or(false),
    exclude: listOf(text("A glob."), "Globs, relative to the folder, of what `exact` and `recurse` leave alone.").or([]),
  },

  prepare: (spec) => loadGlobs(spec.exclude),

  check(spec, report) {
    if (spec.exclude.length > 0 && !spec.exact && spec.recurse === undefined) {
      report({
        code: "exclude-without-use",
        summary: "nothing to exclude from",
        detail: "`exclude` says what `exact` and `recurse` leave alone, and neither is given",
        field: ["exclude"],
      });
    }
  },

  settings(spec, world) {
    const key = world.target(spec.directory);
    const manner = mannerOf(spec, world);
    if (spec.state === "absent") return removedTree(key, spec.replace, world, manner);
    const attributes = attributesWanted(spec, world);
    return [
      ...(spec.parents ? missingParents(key, world) : []),
      pathSetting(key, "directory", attributes, ["exists", ...Object.keys(attributes)], manner),
    ];
  },

  sweep(spec, world, named) {
    if (spec.state === "absent") return [];
    const key = world.target(spec.directory);
    const excluded = globMatcher(spec.exclude);
    const { recurse } = spec;
    const settings = spec.exact ? [...swept(key, excluded, named, world)] : [];
    if (recurse !== undefined) {
      const removed = new Set(settings.map(({ register }) => register.key));
      const { mode: _mode, ...owners } = attributesWanted(recurse, world);
      const want = {
        ...owners,
        ...(recurse.file_mode !== undefined && { file_mode: recurse.file_mode }),
        ...(recurse.directory_mode !== undefined && { directory_mode: recurse.directory_mode }),
      };
      settings.push(...recursed(key, want, (path, relative) => named.has(path) || removed.has(path) || excluded(relative), world));
    }
    return settings;
  },
});
