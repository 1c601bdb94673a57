// Reads the model's tables from the package's data/ folder.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { loadModelData, type ModelData } from "./data.ts";

/** The tables that come with kmlab. */
export function modelData(): ModelData {
  return loadModelData(readDataFile);
}

/** Text of one file of data/. */
export function readDataFile(name: string): string {
  return readFileSync(fileURLToPath(new URL(`../../data/${name}`, import.meta.url)), "utf8");
}
