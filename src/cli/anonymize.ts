// kmlab anonymize: a trace to give away, without names.
import { randomBytes } from "node:crypto";
import { existsSync, realpathSync } from "node:fs";
import process from "node:process";
import type { CommandModule } from "yargs";
import { InputError } from "../errors.ts";
import { plainSha256 } from "../sha256.ts";
import { anonymize, Replacements } from "../traces/anonymize.ts";
import { readTrace, writeTrace } from "../traces/node.ts";

interface AnonymizeOptions {
  trace: string;
  output: string;
  key?: string;
}

export const command: CommandModule<object, AnonymizeOptions> = {
  command: "anonymize <trace>",
  describe: "replace paths, arguments and names of a trace",
  builder: (yargs) =>
    yargs
      .positional("trace", { type: "string", demandOption: true, describe: "a .kmtrace folder" })
      .option("output", {
        alias: "o",
        type: "string",
        requiresArg: true,
        demandOption: true,
        describe: "where the new trace goes",
      })
      .option("key", {
        type: "string",
        requiresArg: true,
        describe: "secret: the same key and name, the same replacement (default: a new one, kept nowhere)",
      }),
  handler: ({ trace, output, key }) => {
    if (key === "") throw new InputError("--key: write a secret; without one anybody could try names out");
    const read = readTrace(trace);
    if (existsSync(output) && realpathSync(output) === realpathSync(trace))
      throw new InputError(`-o ${output}: it is the trace itself; name another folder`);
    const names = new Replacements(key ?? randomBytes(32).toString("hex"), plainSha256);
    const id = writeTrace(output, anonymize(read, names));
    if (read.extra !== undefined) {
      const columns = read.extra.map(({ table, name }) => `${table}.${name}`).join(", ");
      process.stderr.write(`kmlab: left out, since nobody knows what is in them: ${columns}\n`);
    }
    process.stderr.write(`kmlab: ${output} (${id.slice(0, 16)})\n`);
  },
};
