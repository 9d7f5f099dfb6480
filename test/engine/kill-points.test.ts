import { killPoints } from "../support/kill-points.ts";

// A sample of the moments; test/crash tries them all.
killPoints(29);
