import { killPoints } from "../support/kill-points.ts";
import { share } from "../support/share.ts";

killPoints(share >= 1 ? 1 : Math.max(1, Math.round(1 / share)));
