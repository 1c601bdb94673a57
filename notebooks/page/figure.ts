// A figure in a notebook: its sliders and menus, and what it shows for what they say, with the claims beside it.
import * as Inputs from "@observablehq/inputs";
import { plot } from "@observablehq/plot";
import { allowedWords } from "../claims.ts";
import { type Figure, LOOK } from "../figure.ts";
import { FIGURES } from "../figures.ts";
import type { Found, Judged } from "../findings.ts";
import { type Chosen, departures, type Menu, type Slider } from "../inputs.ts";
import { short } from "../lab.ts";
import "@observablehq/inputs/dist/index.css";
import "./page.css";
import { DRAWS } from "./lab.ts";
import type { Answer, Request } from "./worker.ts";

function figureBy(id: string): Figure {
  const figure = FIGURES.find((one) => one.id === id);
  if (figure === undefined) throw new Error(`there is no figure ${id}; there are ${FIGURES.map((one) => one.id)}`);
  return figure;
}

function control(input: Slider | Menu): HTMLElement {
  const { label, value } = input;
  if ("among" in input) return Inputs.select(input.among, { label, value });
  const { from, to, step, log } = input;
  return Inputs.range([from, to], { label, value, step, ...(log ? { transform: Math.log } : {}) });
}

/** The sliders and menus of a figure, as one form. */
export function controls(id: string): HTMLElement {
  const { inputs } = figureBy(id);
  const form = Inputs.form(Object.fromEntries(Object.entries(inputs).map(([name, input]) => [name, control(input)])));
  form.id = `controls-${id}`;
  return form;
}

interface Asked {
  readonly ticket: number;
  resolve(found: Found): void;
  reject(error: Error): void;
}

/** The last request for each figure, by its id. */
const asked = new Map<string, Asked>();
let tickets = 0;

const worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
worker.addEventListener("message", ({ data: { ticket, figure, found, fault } }: MessageEvent<Answer>) => {
  const request = asked.get(figure);
  if (request?.ticket !== ticket) return;
  asked.delete(figure);
  if (found === undefined) request.reject(new Error(fault));
  else request.resolve(found);
});

/** Computes a figure beside the page; never settles when another request for it came meanwhile. */
function found(figure: string, chosen: Chosen): Promise<Found> {
  return new Promise((resolve, reject) => {
    const ticket = ++tickets;
    asked.set(figure, { ticket, resolve, reject });
    worker.postMessage({ ticket, figure, chosen } satisfies Request);
  });
}

function element(name: string, className: string, ...children: (Node | string)[]): HTMLElement {
  const made = document.createElement(name);
  if (className !== "") made.className = className;
  made.append(...children);
  return made;
}

function claimRow({ claim, found: { value, low, high }, verdict }: Judged): HTMLElement {
  const cells = [claim.says, allowedWords(claim), `${short(value)} (${short(low)} to ${short(high)})`];
  const source = `${claim.source} (${claim.confidence})`;
  const row = element(
    "tr",
    "",
    element("td", "verdict", element("strong", "", verdict)),
    ...[...cells, claim.test, source].map((cell) => element("td", "", cell)),
  );
  row.id = `claim-${claim.id}`;
  return row;
}

function claimsTable(judged: readonly Judged[]): HTMLElement {
  const heads = ["verdict", "claim", "asks", "found", "held against it", "source"];
  return element(
    "table",
    "claims",
    element("thead", "", element("tr", "", ...heads.map((head) => element("th", "", head)))),
    element("tbody", "", ...judged.map(claimRow)),
  );
}

/** What a figure shows for these choices. */
export async function shown(id: string, chosen: Chosen): Promise<HTMLElement> {
  const figure = figureBy(id);
  const { rows, judged } = await found(id, chosen);
  const picture = plot(figure.plot(rows, chosen, LOOK.width));
  picture.setAttribute("role", "img");
  picture.setAttribute("aria-label", figure.title);
  const changed = departures(figure.inputs, chosen);
  const whole = element(
    "figure",
    "kmlab",
    picture,
    element("figcaption", "", `Figure ${figure.number}. ${figure.title}. ${figure.caption}`),
    element(
      "p",
      "choices",
      changed.length === 0
        ? `As kmlab figures --quick draws it: ${DRAWS} sets of draws behind each interval.`
        : `Changed: ${changed.join(", ")}. Caption and claims are about the figure as it was.`,
    ),
    claimsTable(judged),
  );
  whole.id = `figure-${id}`;
  return whole;
}
