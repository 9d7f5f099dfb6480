/** Joins a folder and a relative POSIX path, without `.` and with `..` resolved. */
export function joinPath(folder: string, path: string): string {
  const parts: string[] = [];
  const whole = path.startsWith("/") ? path : `${folder}/${path}`;
  const absolute = whole.startsWith("/");
  for (const part of whole.split("/")) {
    if (part === "" || part === ".") continue;
    if (part === ".." && parts.length > 0 && parts.at(-1) !== "..") parts.pop();
    else if (part !== ".." || !absolute) parts.push(part);
  }
  return (absolute ? "/" : "") + parts.join("/") || ".";
}

/** The folder part of a POSIX path; `.` where there is none. */
export function dirname(path: string): string {
  const trimmed = path.replace(/\/+$/, "");
  const slash = trimmed.lastIndexOf("/");
  if (slash < 0) return trimmed === "" && path !== "" ? "/" : ".";
  return trimmed.slice(0, slash).replace(/\/+$/, "") || "/";
}
