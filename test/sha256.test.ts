// The plain SHA-256 equals the host's, whatever the length and however the input is cut.
import { createHash } from "node:crypto";
import { expect, it } from "vitest";
import { plainSha256 } from "../src/sha256.ts";
import { randomNumbers } from "./traces/synthetic.ts";

it("gives the digest of FIPS 180-4's example", () => {
  const hash = plainSha256();
  hash.update(new TextEncoder().encode("abc"));
  expect(hash.hex()).toBe("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
});

it("equals node:crypto's for every length around the block size", () => {
  const random = randomNumbers(3);
  for (let length = 0; length < 200; length++) {
    const bytes = Uint8Array.from({ length }, () => random());
    const hash = plainSha256();
    for (let at = 0; at < length; ) {
      const take = 1 + (random() % 70);
      hash.update(bytes.subarray(at, at + take));
      at += take;
    }
    expect(hash.hex()).toBe(createHash("sha256").update(bytes).digest("hex"));
  }
});
