// What starvation takes of the time of whole programs: the traces that come with kmlab, replayed as direct calls.
import { fileURLToPath } from "node:url";
import type { ModelData } from "../model/data.ts";
import { whatif } from "../model/whatif.ts";
import { SHIPPED_TRACES } from "../shipped-traces.ts";
import { readTrace } from "../traces/node.ts";

export interface StarvationShare {
  readonly command: string;
  readonly profile: string;
  /** Cycles: of the replay by direct calls, of double faults in it, and what direct calls save over SYSENTER. */
  readonly total: number;
  readonly starvation: number;
  readonly saved: number;
}

const PROFILES = ["pentium", "p4", "k7-lkml2002"];
const BASE: Readonly<Record<string, string>> = { pentium: "int80" };

export function starvationShares(data: ModelData): StarvationShare[] {
  return SHIPPED_TRACES.flatMap(({ name, argv }) => {
    const trace = readTrace(fileURLToPath(new URL(`../../data/traces/${name}-ring3.kmtrace`, import.meta.url)));
    return PROFILES.map((profile) => {
      const base = BASE[profile] ?? "sysenter";
      const { mechanisms } = whatif(trace, data, { mechanisms: [base, "kml"], profiles: [profile], draws: 1 });
      const kml = mechanisms.find((m) => m.mechanism === "kml");
      if (kml === undefined || "missing" in kml) throw new Error(`${profile}: no direct calls`);
      const saved = Object.values(kml.saved).reduce((sum, cycles) => sum + cycles, 0);
      return { command: argv.join(" "), profile, total: kml.total, starvation: kml.causes.starvation, saved };
    });
  });
}
