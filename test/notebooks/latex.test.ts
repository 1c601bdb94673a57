// Figures for LaTeX: what is in the JSON and nothing else, written as LaTeX reads it, and read by LaTeX where it is installed.
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readClaims } from "../../notebooks/claims.ts";
import { FIGURES } from "../../notebooks/figures.ts";
import { commandName, type Evidence, escaped, latex } from "../../notebooks/latex.ts";
import { kmlab, ROOT } from "../cli/kmlab.ts";

const PDFLATEX = spawnSync("pdflatex", ["--version"]).status === 0;

const claims = readClaims(readFileSync(join(ROOT, "data", "claims.csv"), "utf8"));

/** Evidence as good as a figure's, with the claims that name it. */
const evidences: Evidence[] = FIGURES.map(({ number, id, title, caption, column = false }) => ({
  figure: number,
  id,
  title,
  caption,
  command: `kmlab figures --only ${number}`,
  column,
  claims: claims
    .filter(({ figure }) => figure === number)
    .map((claim) => ({ ...claim, found: { value: claim.number, low: 1e-7, high: 12_345 } })),
}));
const texts = evidences.map(latex);

/** Names that a text defines. */
const defined = (text: string): string[] => [...text.matchAll(/\\newcommand\{(\\[^}]*)\}/g)].map(([, name]) => name);

describe("every figure", () => {
  it("has its numbers and itself as commands, of letters alone, none twice", () => {
    const names = texts.flatMap(defined);
    expect(names.filter((name) => !/^\\kmlab[A-Za-z]+$/.test(name))).toEqual([]);
    expect(new Set(names).size).toBe(names.length);
    const tested = claims.filter(({ figure }) => figure !== null).length;
    expect(names).toHaveLength(5 * tested + FIGURES.length + FIGURES.filter(({ column }) => column).length);
  });

  it("is plain text in which braces and environments close", () => {
    for (const text of texts) {
      expect(text).toMatch(/^[\n -~]*$/);
      const body = text.replace(/\\textbackslash|\\[{}%&#$_]/g, "");
      let depth = 0;
      for (const character of body) {
        depth += character === "{" ? 1 : character === "}" ? -1 : 0;
        expect(depth).toBeGreaterThanOrEqual(0);
      }
      expect(depth).toBe(0);
      expect(text.match(/\\begin/g)!.length).toBe(text.match(/\\end/g)!.length);
      expect(body.replace(/^% kmlab figures.*$|%$|\$[^$]*\$/gm, "")).not.toMatch(/[%&_~^]/);
    }
  });
});

describe("words", () => {
  it("name commands without digits and hyphens", () => {
    expect(commandName("kml2003-getpid-in-4.0", "Low")).toBe("\\kmlabKmlTwoZeroZeroThreeGetpidInFourZeroLow");
  });

  it("are written so that LaTeX reads them as they were", () => {
    expect(escaped("5 % of $x_1 – “".slice(0, -2))).toBe("5 \\% of \\$x\\_1 --");
    expect(() => escaped("☃")).toThrow('no LaTeX for "☃"');
  });
});

describe("kmlab figures", () => {
  let folder = "";
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "kmlab-latex-"));
    expect(kmlab(["figures", "--quick", "--only", "6,12", "-o", folder]).status).toBe(0);
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it("writes what its JSON says, and pictures of both widths where they are legible", () => {
    const names = readdirSync(folder);
    expect(names.filter((name) => name.endsWith(".pdf"))).toEqual([
      "06-quantum-column.pdf",
      "06-quantum.pdf",
      "12-hypervisor.pdf",
    ]);
    for (const id of ["06-quantum", "12-hypervisor"]) {
      const text = readFileSync(join(folder, `${id}.tex`), "utf8");
      const evidence = JSON.parse(readFileSync(join(folder, `${id}.json`), "utf8")) as Evidence;
      expect(text).toBe(latex(evidence));
      for (const [, file] of text.matchAll(/\\includegraphics\[[^\]]*\]\{([^}]*)\}/g))
        expect(names).toContain(`${file}.pdf`);
    }
    expect(readFileSync(join(folder, "06-quantum-column.svg"), "utf8")).toContain(' width="336"');
  });

  it.runIf(PDFLATEX)("is read by pdflatex, all figures with every number", { timeout: 60_000 }, () => {
    // One picture stands for those that were not drawn here.
    for (const { id, column } of FIGURES)
      for (const name of [id, ...(column ? [`${id}-column`] : [])])
        if (!readdirSync(folder).includes(`${name}.pdf`))
          copyFileSync(join(folder, "12-hypervisor.pdf"), join(folder, `${name}.pdf`));
    FIGURES.forEach(({ id }, index) => {
      writeFileSync(join(folder, `${id}.tex`), texts[index]);
    });
    const names = texts.flatMap(defined);
    const numbers = names.filter((name) => !name.startsWith("\\kmlabFigure"));
    const figures = names.filter((name) => name.startsWith("\\kmlabFigure"));
    const paper = [
      "\\documentclass[twocolumn]{article}",
      "\\usepackage{graphicx}",
      ...FIGURES.map(({ id }) => `\\input{${id}.tex}`),
      "\\begin{document}",
      ...numbers.map((name) => `\\typeout{}${name}{},`),
      ...figures.map((name) => `${name}[p]\\clearpage`),
      "\\end{document}",
    ];
    writeFileSync(join(folder, "paper.tex"), `${paper.join("\n")}\n`);
    const run = spawnSync("pdflatex", ["-halt-on-error", "-interaction=nonstopmode", "paper.tex"], {
      cwd: folder,
      encoding: "utf8",
    });
    expect(`${run.status} ${run.status === 0 ? "" : run.stdout.slice(-2000)}`).toBe("0 ");
    expect(run.stdout).toMatch(new RegExp(`Output written on paper.pdf \\(${figures.length + 1} pages`));
  });
});
