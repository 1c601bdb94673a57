// Has this machine's processor execute the x87's grid (x87-grid.ts):
//   npx tsx scripts/native-cpu/x87-grid-record.ts           write test/fixtures/cpu/x87-grid.gz
//   npx tsx scripts/native-cpu/x87-grid-record.ts explore   print where the emulator differs
// Needs an x86 Linux host with gcc -m32.
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import {
  CONTROLS,
  codeOf,
  comparable,
  Digest,
  GridCpu,
  type GridRow,
  putState,
  RECORD_BYTES,
  ROWS,
  statesOf,
} from "./x87-grid.ts";

const here = fileURLToPath(new URL(".", import.meta.url));
const SHOWN = 12;

function hex(view: DataView): string {
  const registers = [0, 1, 2, 7].map((i) => {
    const at = 28 + 10 * i;
    return `st${i} ${view.getUint16(at + 8, true).toString(16)}:${view.getBigUint64(at, true).toString(16)}`;
  });
  const word = (at: number) => view.getUint16(at, true).toString(16);
  return `cw ${word(0)} sw ${word(4)} tw ${word(8)} ${registers.join(" ")} m ${view.getBigUint64(108, true).toString(16)}:${word(116)} fl ${word(124)}`;
}

/** All states of a row, answered by the real processor. */
function native(runner: string, row: GridRow): { input: Buffer; output: Buffer } {
  const states = statesOf(row);
  const input = Buffer.alloc(RECORD_BYTES * states * CONTROLS.length);
  CONTROLS.forEach((control, c) => {
    for (let n = 0; n < states; n++) {
      putState(
        new DataView(input.buffer, input.byteOffset + RECORD_BYTES * (c * states + n), RECORD_BYTES),
        row,
        control,
        n,
      );
    }
  });
  const { stdout, status } = spawnSync(runner, [codeOf(row)], { input, maxBuffer: 2 ** 30 });
  if (status !== 0 || stdout.length !== input.length) throw new Error(`${codeOf(row)}: status ${status}`);
  return { input, output: stdout };
}

function processor(): string {
  const info = readFileSync("/proc/cpuinfo", "utf8");
  const field = (name: string) => new RegExp(`^${name}\\s*: (.*)$`, "m").exec(info)?.[1] ?? "?";
  return `${field("vendor_id")} family ${field("cpu family")} model ${field("model")} stepping ${field("stepping")}`;
}

const directory = mkdtempSync(join(tmpdir(), "x87-grid-"));
try {
  const runner = join(directory, "runner");
  execFileSync("gcc", ["-m32", "-O1", "-static", "-Wall", "-o", runner, join(here, "x87-grid.c")]);
  const explore = process.argv[2] === "explore";
  const emulated = new GridCpu();
  const digests: number[] = [];
  let compared = 0;
  let wrong = 0;
  for (const row of ROWS) {
    const { input, output } = native(runner, row);
    const states = statesOf(row);
    let shown = 0;
    for (let c = 0; c < CONTROLS.length; c++) {
      const digest = new Digest();
      for (let n = 0; n < states; n++) {
        const at = RECORD_BYTES * (c * states + n);
        const want = new DataView(output.buffer, output.byteOffset + at, RECORD_BYTES);
        comparable(want);
        digest.add(want);
        if (!explore) continue;
        const got = new DataView(input.buffer, input.byteOffset + at, RECORD_BYTES);
        const before = hex(got);
        emulated.run(row, got);
        comparable(got);
        compared++;
        if (Buffer.compare(input.subarray(at, at + RECORD_BYTES), output.subarray(at, at + RECORD_BYTES)) === 0)
          continue;
        wrong++;
        if (shown++ < SHOWN)
          process.stdout.write(`${codeOf(row)} ${before}\n   want ${hex(want)}\n   got  ${hex(got)}\n`);
      }
      digests.push(digest.value);
    }
    if (shown) process.stdout.write(`${codeOf(row)}: ${shown} of ${states * CONTROLS.length} differ\n`);
  }
  if (explore) process.stdout.write(`${wrong} of ${compared} differ\n`);
  else {
    const header = Buffer.from(`${processor()}\n`);
    const packed = gzipSync(Buffer.concat([header, Buffer.from(Uint32Array.from(digests).buffer)]), { level: 9 });
    writeFileSync(join(here, "../../test/fixtures/cpu/x87-grid.gz"), packed);
    process.stdout.write(`${ROWS.length} rows, ${digests.length} digests, ${packed.length} bytes\n`);
  }
} finally {
  rmSync(directory, { recursive: true });
}
