import { defineConfig } from "vite";

const input = ["index.html", "react.html", "mocked.html"];

export default defineConfig({ build: { target: "es2022", rollupOptions: { input } } });
