// A trace that was made anonymous: no name of the old one is left anywhere, the same name is the same everywhere, and no answer changes.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { modelData } from "../../src/model/data-node.ts";
import { whatif } from "../../src/model/whatif.ts";
import { plainSha256 } from "../../src/sha256.ts";
import { anonymize, Replacements } from "../../src/traces/anonymize.ts";
import { readTrace } from "../../src/traces/node.ts";
import { readTraceFrom } from "../../src/traces/read.ts";
import { MemoryStore } from "../../src/traces/store.ts";
import { emptyMeta, emptyTrace, type Trace } from "../../src/traces/trace.ts";
import { writeTraceTo } from "../../src/traces/write.ts";
import { ROOT } from "../cli/kmlab.ts";
import { exampleTrace } from "./example.ts";
import { importSample } from "./importers/samples.ts";
import { syntheticTrace } from "./synthetic.ts";

const replacements = (key = "a key"): Replacements => new Replacements(key, plainSha256);

/** All of a trace's files, uncompressed, as one text. */
function written(trace: Trace): string {
  const store = new MemoryStore();
  writeTraceTo(store, trace);
  return [...store.files.values()].map((bytes) => new TextDecoder().decode(bytes)).join("\n");
}

const words = (text: string): Set<string> => new Set(text.match(/[\p{L}\p{N}_.+-]*\p{L}[\p{L}\p{N}_.+-]*/gu) ?? []);

/** Words of the format itself, and those that the page says remain. */
const format = words(written(emptyTrace(emptyMeta("kmlab"))));
const page = readFileSync(join(ROOT, "docs/new-traces.md"), "utf8");
const remain = words(/<!-- remain -->([\s\S]*?)<!-- \/remain -->/.exec(page)?.[1] ?? "");

/** Every text in which a trace names something. */
function texts({ meta, tasks, execs, objects, args }: Trace): string[] {
  return [
    ...meta.argv,
    ...Object.keys(meta.inputs),
    ...tasks.flatMap(({ comm, exe }) => [comm ?? "", exe ?? ""]),
    ...execs.map(({ exe }) => exe ?? ""),
    ...objects.map(({ label }) => label ?? ""),
    ...[...args.values()].flatMap((text) => [...text.matchAll(/"([^"]*)"/g)].map(([, quoted]) => quoted)),
  ];
}

const shipped = readdirSync(join(ROOT, "data/traces"))
  .filter((name) => /ring3/.test(name))
  .map((name): [string, Trace] => [name, readTrace(join(ROOT, "data/traces", name))]);
const samples = ["strace-edge-yy-v.txt", "strace-python-threads.txt", "perf-trace.txt", "strace-i386-busybox.txt"].map(
  (name): [string, Trace] => [name, importSample(name).trace],
);

describe.each([...shipped, ...samples, ["example", exampleTrace()], ["made", syntheticTrace()]] as [
  string,
  Trace,
][])("%s", (_, trace) => {
  const after = anonymize(trace, replacements());

  test("no word of its names is left", () => {
    const left = words(written(after));
    const secret = [...words(texts(trace).join("\n"))].filter((word) => !format.has(word) && !remain.has(word));
    expect(secret.length).toBeGreaterThan(0);
    expect(secret.filter((word) => left.has(word))).toEqual([]);
  });

  test("numbers are the same, and so is the shape of paths", () => {
    expect(after.events).toEqual(trace.events);
    expect(after.edges).toEqual(trace.edges);
    expect(after.pages).toEqual(trace.pages);
    expect(after.mix).toEqual(trace.mix);
    trace.objects.forEach(({ label, ...numbers }, row) => {
      expect(after.objects[row]).toMatchObject(numbers);
      expect(after.objects[row].label?.split("/").length).toBe(label?.split("/").length);
    });
  });

  test("the same name is replaced alike, another differently", () => {
    const [one, two] = [texts(trace), texts(after)];
    const pairs = new Map(one.map((text, index) => [text, two[index]]));
    expect(new Set(pairs.values()).size).toBe(pairs.size);
    one.forEach((text, index) => {
      expect(two[index]).toBe(pairs.get(text));
    });
  });
});

test.each(shipped)("%s: what-if answers the same to the byte, but for names", (_, trace) => {
  const data = modelData();
  const answer = (of: Trace): string => {
    const { trace: _id, argv: _argv, taskNames: _names, ...rest } = whatif(of, data, { draws: 2 });
    return JSON.stringify(rest);
  };
  const store = new MemoryStore();
  writeTraceTo(store, anonymize(trace, replacements()));
  expect(answer(readTraceFrom(store))).toBe(answer(trace));
});

test("whatever a name is made of, nothing of it is left", () => {
  const name = fc.string({ unit: "grapheme", minLength: 1, maxLength: 20 }).map((text) => `Secret${text}`);
  fc.assert(
    fc.property(fc.array(name, { minLength: 7, maxLength: 7 }), fc.string(), ([a, b, c, d, e, f, g], key) => {
      const made = syntheticTrace({ events: 20 });
      const trace: Trace = {
        ...made,
        meta: {
          ...made.meta,
          argv: [a, `--x=${b}`, `/home/${c}/${d}`],
          inputs: { [`/${e}`]: "sha256:Secret" },
          root: f,
        },
        tasks: made.tasks.map((task) => ({ ...task, comm: b, exe: `/usr/${c}` })),
        objects: made.objects.map((object) => ({ ...object, label: `${d}/${g}` })),
        args: new Map([
          [3, `AT_FDCWD</home/${a.replace(/[<>]/g, "")}>, ${JSON.stringify(e)}..., {st_mode=S_IFREG|0644}, /x/${c}`],
        ]),
        extra: [{ table: "tasks", name: "note", cells: made.tasks.map(() => f) }],
      };
      const text = written(anonymize(trace, replacements(key)));
      expect(text).not.toContain("Secret");
      expect(text).toContain("st_mode=S_IFREG|0644");
    }),
    { numRuns: 200 },
  );
});

test("replacements depend on the key and on nothing else", () => {
  const [one, two, other] = [replacements(), replacements(), replacements("another")];
  two.text("/something/else");
  expect(one.text("/usr/lib/secret/lib x.so")).toBe(two.text("/usr/lib/secret/lib x.so"));
  expect(other.text("/opt/secret")).not.toBe(one.text("/opt/secret"));
  expect(one.text("/usr/lib/secret")).toMatch(/^\/usr\/lib\/[a-z2-7]{10}$/);
  expect(one.text("pipe:[17]")).toBe("pipe:[17]");
});
