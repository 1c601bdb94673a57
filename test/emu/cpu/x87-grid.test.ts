// Does the x87 do to the bit what a real processor did: every instruction with one right answer, on all pairs of special
// values, under every control word? The fixture holds a digest of the real processor's answers for each row and control word.
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { expect, test } from "vitest";
import {
  CONTROLS,
  codeOf,
  comparable,
  Digest,
  GridCpu,
  putState,
  RECORD_BYTES,
  ROWS,
  statesOf,
} from "../../../scripts/native-cpu/x87-grid.ts";

/** By default every row meets some control words, all of them in turn. */
const EVERY = process.env["KMLAB_SLOW"] ? 1 : 24;

test("the x87 answers as the real processor on a grid of states", () => {
  const packed = gunzipSync(readFileSync(new URL("../../fixtures/cpu/x87-grid.gz", import.meta.url)));
  const digests = new DataView(packed.buffer, packed.byteOffset + packed.indexOf("\n") + 1);
  expect(digests.byteLength).toBe(4 * ROWS.length * CONTROLS.length);
  const cpu = new GridCpu();
  const view = new DataView(new ArrayBuffer(RECORD_BYTES));
  const wrong: string[] = [];
  let states = 0;
  ROWS.forEach((row, r) => {
    CONTROLS.forEach((control, c) => {
      if ((c + r) % EVERY !== 0) return;
      const digest = new Digest();
      for (let n = 0; n < statesOf(row); n++) {
        putState(view, row, control, n);
        cpu.run(row, view);
        comparable(view);
        digest.add(view);
        states++;
      }
      const want = digests.getUint32(4 * (r * CONTROLS.length + c), true);
      if (digest.value !== want) wrong.push(`${codeOf(row)} control word ${control.toString(16)}`);
    });
  });
  expect(wrong).toEqual([]);
  expect(states).toBeGreaterThan(300_000);
});
