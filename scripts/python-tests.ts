// npm run python-tests [-- MODULE... --ring 0|3 --match PATTERN]: Python's own tests in the emulated machine, case by case against the native run.
// --show: what it prints, as it does; --native: run them on this host and record that (as root); --record: record what they did here; --table: print what is recorded.
import process from "node:process";
import { parseArgs } from "node:util";
import { MemoryIo } from "../src/emu/host.ts";
import { ensureRoot } from "../src/emu/rootfs/roots-node.ts";
import { NativeRoot } from "../test/programs/native.ts";
import {
  listed,
  MODULES,
  moduleRoot,
  notPassing,
  type Outcome,
  PACKAGES,
  type Ring,
  readCases,
  readDifferences,
  runHere,
  runNatively,
  table,
  withOutcomes,
  writeCases,
} from "../test/programs/python-tests.ts";

const flag = { type: "boolean", default: false } as const;
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { ring: { type: "string" }, match: { type: "string" }, native: flag, record: flag, table: flag, show: flag },
});

const print = (text: string) => process.stdout.write(`${text}\n`);
const passes = (outcomes: ReadonlyMap<string, Outcome>) => [...outcomes.values()].filter((o) => o === "pass").length;

/** Passes on what the guest prints as it comes, so that one sees how far a module of minutes has got. */
class ShownIo extends MemoryIo {
  override stdout(bytes: Uint8Array): void {
    process.stdout.write(bytes.slice());
  }
  override stderr(bytes: Uint8Array): void {
    process.stdout.write(bytes.slice());
  }
}

/** Runs a module in a ring; the number of differences that are not listed, or listed and gone. */
async function check(module: string, ring: Ring): Promise<number> {
  const base = await moduleRoot(module);
  const begun = process.cpuUsage();
  const { outcomes, instructions } = runHere(
    base,
    module,
    ring,
    values.match,
    values.show ? new ShownIo() : new MemoryIo(),
  );
  const { user, system } = process.cpuUsage(begun);
  base.close();
  const cases = readCases();
  const within = (name: string) => values.match === undefined || outcomes.has(name);
  const found = notPassing(cases, module, outcomes, within);
  const known = listed(readDifferences(), module, ring).filter((line) => within(line.split(": ")[0]));
  if (values.record && values.match === undefined)
    writeCases(withOutcomes(cases, module, ring === 0 ? "ring0" : "ring3", outcomes));
  const cost = `${(instructions / 1e9).toFixed(1)} G instructions, ${((user + system) / 1e6).toFixed(0)} CPU s`;
  print(`${module}, ring ${ring}: ${passes(outcomes)} of ${outcomes.size} pass, ${cost}`);
  const wrong = [
    ...found.filter((line) => !known.includes(line)).map((line) => `  not listed: ${line}`),
    ...known.filter((line) => !found.includes(line)).map((line) => `  listed, and not so: ${line}`),
  ];
  for (const line of wrong) print(line);
  return wrong.length;
}

async function recordNative(modules: readonly string[]): Promise<void> {
  const native = new NativeRoot((await ensureRoot(PACKAGES)).directory);
  try {
    for (const module of modules) {
      const outcomes = runNatively(native, module);
      print(`${module}: ${passes(outcomes)} of ${outcomes.size} pass natively`);
      writeCases(withOutcomes(readCases(), module, "native", outcomes));
    }
  } finally {
    native.close();
  }
}

let wrong = 0;
const modules = positionals.length > 0 ? positionals : MODULES;
const rings: Ring[] = values.ring === undefined ? [3, 0] : [values.ring === "0" ? 0 : 3];
if (values.native) await recordNative(modules);
else if (!values.table) for (const module of modules) for (const ring of rings) wrong += await check(module, ring);
print(table(readCases(), readDifferences()).join("\n"));
process.exitCode = wrong > 0 ? 1 : 0;
