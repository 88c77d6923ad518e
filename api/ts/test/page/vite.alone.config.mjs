import { defineConfig } from "vite";

// A build of its own: chunks are shared by the pages of one.
export default defineConfig({
  build: { target: "es2022", outDir: "dist-alone", rollupOptions: { input: ["alone.html"] } },
});
