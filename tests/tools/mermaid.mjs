// Every Mermaid block of every report, read by Mermaid itself: node tests/tools/mermaid.mjs [FOLDER…]
// Installs mermaid and jsdom from npm into a temporary folder. Exit code 1 where a block is not read; else,
// without a FOLDER, mermaid.txt beside this says which blocks were read, for a test that all of them are there.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const read = [];
const PACKAGES = ["mermaid@11.17.2", "jsdom@26.1.0"];

function pages(folder) {
  return readdirSync(folder, { recursive: true }).filter((name) => name.endsWith(".md")).sort().map((name) => join(folder, name));
}

function blocks(page) {
  return [...readFileSync(page, "utf8").matchAll(/^```mermaid\n([\s\S]*?)^```$/gm)].map((found) => found[1]);
}

async function parser(folder) {
  execFileSync("npm", ["install", "--silent", "--no-audit", "--no-fund", "--prefix", folder, ...PACKAGES], { stdio: "inherit" });
  const modules = join(folder, "node_modules");
  const { JSDOM } = (await import(pathToFileURL(join(modules, "jsdom/lib/api.js")))).default;
  const { window } = new JSDOM("<!doctype html><body></body>");
  Object.assign(globalThis, { window, document: window.document, Element: window.Element });
  return (await import(pathToFileURL(join(modules, "mermaid/dist/mermaid.core.mjs")))).default;
}

async function checked(mermaid, page) {
  const found = blocks(page);
  let wrong = 0;
  for (const block of found) {
    try {
      const { diagramType } = await mermaid.parse(block);
      if (!diagramType.startsWith("flowchart")) throw new Error(`a ${diagramType}, not a flowchart`);
      read.push(`${createHash("sha256").update(block).digest("hex")} ${page}`);
    } catch (error) {
      wrong += 1;
      console.log(`${page}: ${error.message}`);
    }
  }
  return [found.length, wrong];
}

const folder = mkdtempSync(join(tmpdir(), "mermaid-"));
try {
  const mermaid = await parser(folder);
  let total = 0;
  let failed = 0;
  console.log(`| page | flowcharts | read by ${PACKAGES[0]} |\n|---|---:|---:|`);
  for (const page of (process.argv.length > 2 ? process.argv.slice(2) : ["reports"]).flatMap(pages)) {
    const [count, wrong] = await checked(mermaid, page);
    if (count) console.log(`| ${page} | ${count} | ${count - wrong} |`);
    total += count;
    failed += wrong;
  }
  console.log(`| all | ${total} | ${total - failed} |`);
  process.exitCode = failed || !total ? 1 : 0;
  if (process.exitCode === 0 && process.argv.length === 2) {
    writeFileSync(new URL("mermaid.txt", import.meta.url), `# read by ${PACKAGES[0]}\n${read.join("\n")}\n`);
  }
} finally {
  rmSync(folder, { recursive: true });
}
