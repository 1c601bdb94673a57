// npm run record-fingerprints: what happens in the replays of the shipped traces, hashed anew (data/fingerprints.csv).
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { modelData } from "../src/model/data-node.ts";
import { fingerprints, fingerprintTable } from "../src/model/fingerprint.ts";
import { SHIPPED_TRACES, SHIPPED_WAYS } from "../src/shipped-traces.ts";
import { readTrace } from "../src/traces/node.ts";

const file = (name: string): string => fileURLToPath(new URL(`../data/${name}`, import.meta.url));
const data = modelData();
const rows = SHIPPED_TRACES.flatMap(({ name }) =>
  SHIPPED_WAYS.flatMap(({ suffix }) => {
    const trace = `${name}-${suffix}`;
    return fingerprints(trace, readTrace(file(`traces/${trace}.kmtrace`)), data);
  }),
);
writeFileSync(file("fingerprints.csv"), fingerprintTable(rows));
