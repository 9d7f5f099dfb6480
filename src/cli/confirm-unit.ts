import type { Context } from "./context.ts";

/** The systemd unit that reverts, from boot on, the runs that nobody confirms in time. */
export function confirmUnit({ self, stateDirectory }: Pick<Context, "self" | "stateDirectory">): {
  readonly name: string;
  readonly text: string;
} {
  const name = "setpoint-confirm.service";
  const start = [...self, "confirm", "--overdue", "--wait", "--state-dir", stateDirectory]
    .map((text) => word(text.replaceAll("$", "$$$$")))
    .join(" ");
  return {
    name,
    text: `# Reverts what \`setpoint apply --confirm-within\` did and nobody confirmed in time, also when that passed while the machine was off.
# Install: setpoint confirm --print-unit > /etc/systemd/system/${name} && systemctl enable ${name}
[Unit]
Description=Revert setpoint runs that nobody confirmed in time
RequiresMountsFor=${word(stateDirectory)}
After=local-fs.target

[Service]
ExecStart=${start}
# 6: somebody changed since what the run had set; that was kept, and trying again changes nothing.
SuccessExitStatus=6
Restart=on-failure
RestartSec=30

[Install]
WantedBy=multi-user.target
`,
  };
}

/** A word as systemd reads it: in quotes where it has to be, and with no specifier in it. In a command line a `$` must be doubled before. */
function word(text: string): string {
  const plain = text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("%", "%%").replaceAll("\n", "\\n");
  return /^[\w@%+=:,./-]+$/.test(plain) ? plain : `"${plain}"`;
}
