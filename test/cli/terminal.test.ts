// kmlab run -t on a terminal of the host, which util-linux's script makes: raw meanwhile, and afterwards as it was.
import { spawnSync } from "node:child_process";
import process from "node:process";
import { expect, it } from "vitest";
import { ROOT } from "./kmlab.ts";
import { hasPackages } from "./packages.ts";

const hasScript = spawnSync("script", ["--version"]).status === 0;
if (!hasScript) process.stderr.write("skipping what needs a terminal: there is no script(1) here\n");

/** What a shell on a new terminal shows for some commands, `$K` being kmlab on the terminal; typed: what is typed meanwhile. */
function onTerminal(commands: string, typed: string): string[] {
  const env = { ...process.env, K: `"${process.execPath}" bin/kmlab.mjs run -it --root base` };
  const run = spawnSync("script", ["-qec", `stty rows 33 cols 99; stty -g; ${commands}; stty -g`, "/dev/null"], {
    cwd: ROOT,
    env,
    input: typed,
    encoding: "utf8",
    timeout: 120_000,
  });
  return run.stdout.split("\n").map((line) => line.trim());
}

it.runIf(hasPackages && hasScript)("keys go to the guest, and the terminal is as it was", () => {
  const lines = onTerminal(
    `eval "$K" sh -c "'stty size; read x; echo got \\$x; exit 5'"; echo status $?`,
    "some keys\n",
  );
  expect(lines).toContain("33 99");
  expect(lines).toContain("got some keys");
  expect(lines).toContain("status 5");
  const settings = lines.filter((line) => /^[\da-f]+(:[\da-f]+){10,}/.test(line));
  expect(settings).toHaveLength(2);
  expect(settings[1]).toBe(settings[0]);
});
