// What all flows look for in a page.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** @param {import("playwright-core").Page} page @param {string} name */
export const heading = (page, name) =>
  page.getByRole("heading", { name, exact: true, level: 1 }).waitFor();
/** The state in a row of a table. @param {any} page @param {string} row @param {string} state */
export const rowWith = (page, row, state) => page.locator("tr", { hasText: row })
  .filter({ has: page.locator(".state", { hasText: state }) }).first();

/** Words for what axe finds. @param {import("playwright-core").Page} page @param {string} where */
export async function accessibilityFaults(page, where) {
  // The page's policy refuses scripts of others; the test runs axe in the page's world by DevTools.
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => /** @type {any} */ (globalThis).axe.run(
    document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"] }));
  return violations.flatMap((/** @type {any} */ one) => one.nodes.map((/** @type {any} */ node) =>
    `${where}: ${one.id}: ${node.html.slice(0, 200)} ${node.failureSummary.slice(0, 300)}`));
}
