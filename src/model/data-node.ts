// Reads the model's tables from the package's data/ folder.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { InputError } from "../errors.ts";
import { loadModelData, type ModelData } from "./data.ts";
import { readProfileFile } from "./profiles.ts";

/** The tables that come with kmlab. */
export function modelData(): ModelData {
  return loadModelData(readDataFile);
}

/** The tables with the profiles among these names that are files, NAME.csv. */
export function withProfileFiles(data: ModelData, names: readonly string[] = []): ModelData {
  const profiles = new Map(data.profiles);
  for (const name of names.filter((word) => word.endsWith(".csv"))) {
    let text: string;
    try {
      text = readFileSync(name, "utf8");
    } catch (error) {
      throw new InputError(`--profile ${name}: ${error instanceof Error ? error.message : String(error)}`);
    }
    profiles.set(name, readProfileFile(name, text, data.profiles.get("zen4")!));
  }
  return { ...data, profiles };
}

/** One file of data/. */
export function readDataBytes(name: string): Buffer {
  return readFileSync(fileURLToPath(new URL(`../../data/${name}`, import.meta.url)));
}

/** Text of one file of data/. */
export function readDataFile(name: string): string {
  return readDataBytes(name).toString("utf8");
}
