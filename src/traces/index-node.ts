// What kmlab/traces is in Node: with traces as folders and the table of calls that comes with kmlab.
export { textFile } from "./importers/text-node.ts";
export * from "./index.ts";
export { callNames, readTrace, SUFFIX, writeTrace } from "./node.ts";
