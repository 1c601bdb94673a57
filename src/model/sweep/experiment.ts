// An experiment as a file says it: which traces, ways into the kernel, machines and parameters to go through.
import { z } from "zod";
import { openYaml, type Where } from "../../yaml.ts";
import { TARGETS } from "../choices.ts";
import { VALUES } from "./values.ts";

/** One name or several; never none, none twice. */
function names<T extends z.ZodType>(item: T) {
  const list = z
    .array(item)
    .min(1, "an empty list names nothing; leave the key out for the default")
    .superRefine((all, context) => {
      const twice = all.findIndex((one, index) => all.indexOf(one) !== index);
      if (twice >= 0)
        context.addIssue({ code: "custom", message: `${String(all[twice])} is there twice`, path: [twice] });
    });
  return z.preprocess((value) => (Array.isArray(value) ? value : [value]), list);
}

const WORDS = names(z.string());

/** A trace by name or pattern, several captures of one workload, or a scenario that is captured for it. */
const TRACE = z.preprocess(
  (value) => (typeof value === "string" ? { trace: value } : value),
  z
    .strictObject({
      trace: z.string().optional(),
      name: z.string().optional(),
      captures: WORDS.optional(),
      scenario: z.string().optional(),
      ring: z.literal([0, 3]).optional(),
      repeat: z.int().min(1).max(1000).optional(),
    })
    .superRefine(({ trace, name, captures, scenario, ring, repeat }, context) => {
      const ways = [trace, name ?? captures, scenario].filter((way) => way !== undefined);
      const whole = (name === undefined) === (captures === undefined);
      const fits = scenario !== undefined || (ring === undefined && repeat === undefined);
      if (ways.length !== 1 || !whole || !fits)
        context.addIssue({
          code: "custom",
          message:
            "write a trace's name, {name: WORKLOAD, captures: [TRACE, ...]} or {scenario: NAME, ring: 0 or 3, repeat: N}",
        });
    }),
);

const SCHEMA = z.strictObject({
  about: z.string().optional(),
  traces: z.preprocess(
    (value) => (value === undefined || Array.isArray(value) ? value : [value]),
    z.array(TRACE, "name at least one trace").min(1, "name at least one trace"),
  ),
  mechanisms: WORDS.optional(),
  profiles: WORDS.optional(),
  kernels: WORDS.optional(),
  target: z.enum(TARGETS).optional(),
  conditions: z
    .strictObject({
      protection: WORDS.optional(),
      pollution: names(z.boolean()).optional(),
      hypervisor: WORDS.optional(),
    })
    .default({}),
  machine: z
    .strictObject({
      scheduler: WORDS.optional(),
      cpus: VALUES.optional(),
      disk: WORDS.optional(),
      memory: VALUES.optional(),
      reclaim: WORDS.optional(),
    })
    .default({}),
  set: z.record(z.string(), VALUES).default({}),
  variables: z.record(z.string(), VALUES).default({}),
  constraints: names(z.string()).optional(),
  seeds: VALUES.optional(),
  draws: z.int().min(0).max(100_000).default(0),
});

export type Experiment = z.infer<typeof SCHEMA>;

/** Throws InputError `FILE:LINE:COLUMN: KEY: what is wrong`. */
export function readExperiment(text: string, file: string): { experiment: Experiment; where: Where } {
  const { value, where } = openYaml(text, file, SCHEMA as z.ZodType<Experiment>);
  return { experiment: value, where };
}
