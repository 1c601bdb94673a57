// Tests mirror src/; slow suites run only with KMLAB_SLOW=1 (npm run test:all).
import { defineConfig } from "vitest/config";
import { compiledSources } from "./test/compiled.ts";

export default defineConfig({
  plugins: [compiledSources()],
  test: {
    include: ["test/**/*.test.ts"],
    testTimeout: 120_000,
    hookTimeout: 300_000,
    maxWorkers: 2,
    server: { deps: { external: [/\/build\/tests-/] } },
  },
});
