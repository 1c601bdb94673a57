// Computes figures beside the page, so that sliders move while it does. Of several requests for one figure only the last is answered.
import { readClaims } from "../claims.ts";
import type { Figure } from "../figure.ts";
import { FIGURES } from "../figures.ts";
import { type Found, find } from "../findings.ts";
import type { Chosen } from "../inputs.ts";
import type { Lab } from "../lab.ts";
import { browserLab, file } from "./lab.ts";

export interface Request {
  readonly ticket: number;
  /** Id of a figure. */
  readonly figure: string;
  readonly chosen: Chosen;
}

export interface Answer {
  readonly ticket: number;
  readonly figure: string;
  readonly found?: Found;
  /** Why there is nothing. */
  readonly fault?: string;
}

const claims = readClaims(file("claims.csv"));
/** By the traces in them. */
const laboratories = new Map<string, Promise<Lab>>();
const waiting = new Map<string, Request>();

function laboratory({ traces }: Figure): Promise<Lab> {
  const key = String(traces);
  const lab = laboratories.get(key) ?? browserLab(traces);
  laboratories.set(key, lab);
  return lab;
}

async function answer({ ticket, figure, chosen }: Request): Promise<Answer> {
  try {
    const asked = FIGURES.find(({ id }) => id === figure)!;
    return { ticket, figure, found: find(asked, await laboratory(asked), claims, chosen) };
  } catch (error) {
    return { ticket, figure, fault: error instanceof Error ? error.message : String(error) };
  }
}

async function work(): Promise<void> {
  for (const [id, request] of waiting) {
    waiting.delete(id);
    self.postMessage(await answer(request));
    // Requests that came meanwhile are heard first.
    await new Promise((resolve) => setTimeout(resolve));
  }
}

let busy = false;
self.addEventListener("message", async ({ data }: MessageEvent<Request>) => {
  waiting.set(data.figure, data);
  if (busy) return;
  busy = true;
  await work();
  busy = false;
});
