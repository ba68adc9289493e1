// Pictures of the portal's pages: light, dark, and on a phone.
import { mkdirSync } from "node:fs";
import { openBrowser, signIn } from "./browser.js";

const [url, token, output, ...names] = process.argv.slice(2);
const pages = names.length ? names : ["clusters", "computesets", "consoles", "recordings", "images",
  "usage", "account", "hosts", "queue", "events", "processes", "people"];
const looks = [
  { name: "light", options: {} },
  { name: "dark", options: { colorScheme: /** @type {const} */ ("dark") } },
  { name: "phone", options: { viewport: { width: 390, height: 844 } } },
];

/** Waits until the page has not changed between two looks, half a second apart. */
async function settled(/** @type {import("playwright-core").Page} */ page) {
  await page.evaluate(() => { /** @type {any} */ (globalThis).before = ""; });
  await page.waitForFunction(() => {
    const all = /** @type {any} */ (globalThis);
    const now = document.querySelector("main")?.innerHTML;
    const isSame = all.before === now;
    all.before = now;
    return isSame;
  }, undefined, { polling: 500 });
}

mkdirSync(output, { recursive: true });
for (const { name, options } of looks) {
  const { browser, page, faults } = await openBrowser(url, options);
  await page.goto("/");
  await page.getByRole("button", { name: "Sign in" }).waitFor();
  await page.screenshot({ path: `${output}/sign_in-${name}.png` });
  await signIn(page, { token });
  await page.getByRole("heading", { name: "Clusters" }).waitFor();
  for (const one of pages) {
    await page.goto("/#/" + one);
    await page.locator("#main h1").waitFor();
    await settled(page);
    await page.screenshot({ path: `${output}/${one.replaceAll("/", "-")}-${name}.png` });
  }
  await browser.close();
  for (const fault of faults) process.stderr.write(`${name}: ${fault}\n`);
}
