// Price lists for tests with a known answer.
import { modelData } from "../../src/model/data-node.ts";
import { settableKeys } from "../../src/model/prices.ts";

const data = modelData();

/** Everything costs nothing but what is given; there are no ticks. */
export function nothingBut(costs: Record<string, number>): Map<string, number> {
  const keys = settableKeys(data, data.profiles.get("p4")!, data.kernels.get("kml-4.0")!);
  return new Map([...keys.map((key): [string, number] => [key, 0]), ["hz", 0], ...Object.entries(costs)]);
}
