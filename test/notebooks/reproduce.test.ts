// docs/reproduce.md and CITATION.cff: every claim that is tested has its row, what a row expects comes out again, commands are those there
// are; and the pictures drawn for it are legible.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { readClaims } from "../../notebooks/claims.ts";
import { FIGURES } from "../../notebooks/figures.ts";
import { expected, type Reproduced } from "../../notebooks/reproduce.ts";
import { kmlabLine, ROOT } from "../cli/kmlab.ts";
import { boxes, illegible } from "./labels.ts";

const SLOW = Boolean(process.env["KMLAB_SLOW"]);
const read = (name: string) => readFileSync(join(ROOT, name), "utf8");
const claims = readClaims(read("data/claims.csv"));
const manifest = JSON.parse(read("package.json")) as {
  version: string;
  license: string;
  scripts: Record<string, string>;
};

/** Cells of the page's tables, without their heads. */
const rows = read("docs/reproduce.md")
  .split("\n")
  .filter((line) => line.startsWith("| ") && !/^\| (claim|---) /.test(line))
  .map((line) => line.slice(2, -2).split(" | "));
const byClaim = new Map(rows.map(([claim, ...rest]) => [claim, rest]));
const tested = claims.filter(({ figure }) => figure !== null);

/** Figures that cost little; the slow suite draws all, as the page says. */
const drawn = SLOW ? FIGURES.map(({ number }) => number) : [4, 6, 8];

let folder = "";
const found = new Map<string, Reproduced>();
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "kmlab-reproduce-"));
  const quick = SLOW ? "" : "--quick";
  expect(kmlabLine(`npx --no kmlab figures ${quick} --only ${drawn.join()} -o ${folder}`).status).toBe(0);
  for (const name of readdirSync(folder).filter((file) => file.endsWith(".json")))
    for (const claim of JSON.parse(readFileSync(join(folder, name), "utf8")).claims) found.set(claim.id, claim);
}, 600_000);
afterAll(() => rmSync(folder, { recursive: true }));

describe("docs/reproduce.md", () => {
  it("has each claim that is tested, with its figure's command and the committed verdict", () => {
    const ids = tested.map(({ id }) => id);
    expect(
      rows
        .map(([claim]) => claim)
        .filter((claim) => ids.includes(claim))
        .sort(),
    ).toEqual(ids.toSorted());
    for (const { id, figure, verdict } of tested) {
      const [command, expects] = byClaim.get(id)!;
      expect(command).toBe(`\`npx --no kmlab figures --only ${figure}\``);
      expect(expects).toMatch(new RegExp(`: ${verdict}$`));
    }
  });

  it("expects what comes out", () => {
    expect(found.size).toBeGreaterThan(3);
    for (const [id, claim] of found) {
      const [, expects, tolerance] = byClaim.get(id)!;
      if (SLOW || tolerance === "none") expect(`${id} ${expects}`).toBe(`${id} ${expected(claim)}`);
      else {
        const numbers = (text: string) =>
          text
            .replace(/(\d) (?=\d{3})/g, "$1")
            .match(/[\d.]+/g)!
            .slice(0, 3)
            .map(Number);
        const [value, ...bounds] = numbers(expects);
        const [now, ...ends] = numbers(expected(claim));
        expect(`${id} ${now}`).toBe(`${id} ${value}`);
        bounds.forEach((bound, end) => {
          expect(Math.abs(ends[end] / bound - 1)).toBeLessThan(0.25);
        });
      }
    }
  });

  it("names scripts and verbs that there are", () => {
    for (const [, command] of rows) {
      const [, script] = /^`npm (?:run )?([\w:-]+)`$/.exec(command) ?? [];
      if (script !== undefined) expect(Object.keys(manifest.scripts)).toContain(script);
      else expect(command).toMatch(/^`npx --no kmlab (figures --only \d+|validate)`$/);
    }
  });
});

describe("pictures", () => {
  it("have no words on other words or over the edge, in either width", () => {
    const pictures = readdirSync(folder).filter((name) => name.endsWith(".svg"));
    const columns = FIGURES.filter(({ number, column }) => column && drawn.includes(number));
    expect(pictures).toHaveLength(drawn.length + columns.length);
    for (const name of pictures) {
      const svg = readFileSync(join(folder, name), "utf8");
      expect(boxes(svg).length).toBeGreaterThan(5);
      expect(`${name}: ${illegible(svg).join("; ")}`).toBe(`${name}: `);
    }
  });

  it("would be seen to have some", () => {
    const words = '<text x="90">abc</text><text x="5" transform="translate(0,20)">over</text><text y="22">here</text>';
    expect(illegible(`<svg viewBox="0 0 100 30" font-size="10">${words}</svg>`)).toEqual([
      '"abc" reaches over the edge',
      '"over" lies on "here"',
    ]);
  });
});

describe("CITATION.cff", () => {
  const citation = parse(read("CITATION.cff"));

  it("has what version 1.2.0 asks for, and the version and licence of the package", () => {
    expect(citation).toMatchObject({
      "cff-version": "1.2.0",
      type: "software",
      authors: [{ name: "kmlab developers" }],
      version: manifest.version,
      license: manifest.license,
    });
    for (const key of ["message", "title", "abstract"]) expect(typeof citation[key]).toBe("string");
  });

  it("refers to Maeda's papers, each with what a reference needs", () => {
    expect(citation.references).toHaveLength(2);
    for (const reference of citation.references) {
      expect(reference.authors[0]).toEqual({ "family-names": "Maeda", "given-names": "Toshiyuki" });
      expect(["conference-paper", "magazine-article"]).toContain(reference.type);
      expect(typeof reference.title).toBe("string");
    }
  });
});
