// Are trials the same for the same seed, different for others, and does shrinking keep the failure and nothing else?
import { describe, expect, it } from "vitest";
import { writeTar } from "../../src/emu/rootfs/tar.ts";
import { argvOf, scriptOf, type Trial, trialOf } from "./generate.ts";
import { listingChanges, listingLine } from "./listing.ts";
import { compact, differences, type Outcome, outputOf } from "./outcome.ts";
import { commandHash, RECORDED_SEEDS, readRecording, SEEDS_FILE } from "./recording.ts";
import { shrink, smallerTrials } from "./shrink.ts";

describe("trials", () => {
  it("are the same for the same seed, byte for byte", () => {
    for (const seed of [1, 77, 4096]) {
      expect(argvOf(trialOf(seed))).toEqual(argvOf(trialOf(seed)));
      expect(Buffer.compare(writeTar(trialOf(seed).members), writeTar(trialOf(seed).members))).toBe(0);
    }
  });

  it("differ from seed to seed", () => {
    const scripts = new Set(Array.from({ length: 200 }, (_, i) => scriptOf(trialOf(i + 1))));
    expect(scripts.size).toBeGreaterThan(195);
  });

  it("keep errors out of pipelines but for the last step's", () => {
    const trial: Trial = {
      shell: "sh",
      members: [],
      statements: [
        { steps: [["a", "x"], ["b"]], join: "&&" },
        { steps: [["c"]], join: "&" },
        { steps: [["d"]], join: ";" },
      ],
    };
    expect(scriptOf(trial)).toBe("a x 2> /dev/null | b &&\nc & wait\nd");
  });

  it("were recorded as this generator makes them", () => {
    const runs = readRecording(SEEDS_FILE)!.runs;
    const stale = Array.from({ length: RECORDED_SEEDS }, (_, i) => i + 1).filter(
      (seed) => runs[seed]?.of !== commandHash({ argv: argvOf(trialOf(seed)) }),
    );
    expect(stale, "run `npm run diff -- --record`").toEqual([]);
  });
});

describe("shrinking", () => {
  it("ends at what cannot be taken away", () => {
    const trial = trialOf(3);
    const culprit = trial.members.find((m) => m.data)!.path;
    const bad: Trial = {
      ...trial,
      statements: [
        ...trial.statements,
        {
          steps: [
            ["cat", "-n", "-E", culprit],
            ["sort", "-r"],
          ],
          join: ";",
        },
      ],
    };
    const fails = (t: Trial) => t.members.some((m) => m.path === culprit) && scriptOf(t).includes(`-E ${culprit}`);
    const small = shrink(bad, fails);
    expect(fails(small)).toBe(true);
    expect(scriptOf(small)).toBe(`cat -E ${culprit}`);
    expect(small.members.filter((m) => m.type !== "directory").map((m) => m.path)).toEqual([culprit]);
  });

  it("never leaves a file without its directory, or a hard link without its file", () => {
    for (const smaller of smallerTrials(trialOf(12))) {
      const paths = new Set(smaller.members.map((m) => m.path));
      for (const m of smaller.members) {
        const parent = m.path.slice(0, m.path.lastIndexOf("/"));
        if (parent !== "") expect(paths).toContain(parent);
        if (m.type === "hardlink") expect(paths).toContain(m.link);
      }
    }
  });
});

describe("outcomes", () => {
  const outcome: Outcome = { status: 0, stdout: "a\nb\n", stderr: "", tree: ["+ x"] };

  it("name what differs", () => {
    expect(differences(outcome, outcome)).toEqual([]);
    expect(differences(outcome, { status: 139, stdout: "a\nc\n", stderr: "", tree: ["+ y"] })).toEqual([
      "status 139, native 0",
      'stdout: line 2: "c", native "b"',
      "tree, only here: + y",
      "tree, only native: + x",
    ]);
  });

  it("stay different when made compact", () => {
    const long = (last: string): Outcome => ({
      ...outcome,
      stdout: `${"x\n".repeat(900)}${last}`,
      tree: Array.from({ length: 30 }, (_, i) => `+ ${i}${last}`),
    });
    expect(differences(compact(long("a")), compact(long("a")))).toEqual([]);
    expect(differences(compact(long("a")), compact(long("b")))).toHaveLength(3);
    expect(outputOf(new Uint8Array([0xff, 0]))).toMatchObject({ bytes: 2 });
  });

  it("take times that were set as they are, and later ones as now", () => {
    const file = { path: "f", mode: 0o100644, uid: 0, gid: 0, nlink: 1, size: 3, content: "c" };
    expect(listingLine({ ...file, mtime: 1e9 })).toBe("f 100644 0:0 1 3 1000000000 c");
    expect(listingLine({ ...file, mtime: 1.7e9 })).toBe("f 100644 0:0 1 3 now c");
    expect(listingChanges(["a 1", "b 1"], ["b 2", "c 1"])).toEqual(["- a 1", "- b 1", "+ b 2", "+ c 1"]);
  });
});
