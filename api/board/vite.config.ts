import { basename, dirname } from "node:path";

import react from "@vitejs/plugin-react";
import optimizeLocales from "@react-aria/optimize-locales-plugin";
import { defineConfig } from "vite";

import { texts } from "./src/texts.ts";

/** The page's own sentence stands with the others. */
const page = {
  name: "texts",
  transformIndexHtml: (html: string) => html.replace("%NO_SCRIPT%", texts.noScript),
};

// The files keep their names, so that a change of the board is a change of few of them. The server lets
// browsers ask whether they are still the same.
export default defineConfig({
  base: "/board/",
  // Of the texts of the components only those in English are packed.
  plugins: [react(), { ...optimizeLocales.vite({ locales: ["en-US"] }), enforce: "pre" }, page],
  server: { proxy: { "/v1": "http://127.0.0.1:8080", "/docs": "http://127.0.0.1:8080" } },
  build: {
    target: "es2022",
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 700, // kB; a test holds the compressed size of all
    rollupOptions: {
      output: {
        entryFileNames: "assets/[name].js",
        // A role's page is named by its folder.
        chunkFileNames: ({ name, facadeModuleId }) =>
          `assets/${name === "page" && facadeModuleId ? basename(dirname(facadeModuleId)) : name}.js`,
        assetFileNames: "assets/[name][extname]",
      },
    },
  },
});
