import { expect, test } from "vitest";
import { lintPlaybook, loadPlaybook, playbookSchema } from "../../src/playbook/index.ts";
import { fakeTypes, sources } from "./fake-types.ts";

test("smoke", async () => {
  const text = `setpoint: 1
name: web
inputs:
  domain: { type: string, pattern: '^[a-z0-9.-]+$' }
  workers: { type: integer, default: 4, minimum: 1 }
  token: { type: string, secret: true, from: { env: API_TOKEN } }
vars:
  site: \${{ vars.root }}/\${{ inputs.domain }}
  root: /srv/\${{ inputs.domain }}
resources:
  - package: [ nginx, curl ]
    when: facts.os.family == 'debian'
  - file: \${{ vars.site }}
    content: "n=\${{ inputs.workers + 1 }}"
    needs: package:nginx
  - config: /etc/app.toml
    set: { server.workers: "\${{ inputs.workers }}" }
  - file: /etc/\${{ each.key }}
    for_each: { a: 1, b: 2 }
    let: { x: "\${{ each.value }}" }
    content: "\${{ string(x) + string(let.x) }}"
    mode: '0644'
  - command: [ echo, hi ]
  - service: nginx
    restart_when: [ file:/srv/* ]
`;
  const p = await loadPlaybook(text, "site/web.yaml", sources({ given: { domain: "a.example" }, env: { API_TOKEN: "s3cret!" } }));
  console.log(JSON.stringify(p, null, 1));
  console.log(await lintPlaybook(text, "x", fakeTypes));
  console.log(JSON.stringify(playbookSchema(fakeTypes)).length);
  expect(p.ok).toBe(true);
});
