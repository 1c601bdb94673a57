// What kmlab/model is in Node: with the tables that come with kmlab.
export { modelData, readDataFile, withProfileFiles } from "./data-node.ts";
export * from "./index.ts";
