// Opens the portal in Chromium, for the tests and for screenshots. Collects what must not happen:
// errors of scripts and refusals by the Content-Security-Policy.
import { chromium } from "playwright-core";

const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";

/**
 * @param {string} url of the gateway
 * @param {import("playwright-core").BrowserContextOptions} [options]
 */
export async function openBrowser(url, options = {}) {
  const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
  const context = await browser.newContext({ baseURL: url, viewport: { width: 1280, height: 800 },
    ...options });
  /** @type {string[]} */
  const faults = [];
  context.on("weberror", error => faults.push(String(error.error())));
  context.on("console", message => {
    if (/Content.Security.Policy|TrustedHTML|TrustedScript/i.test(message.text()))
      faults.push(message.text());
  });
  const page = await context.newPage();
  page.setDefaultTimeout(Number(process.env.TIMEOUT_MS ?? 20_000));
  return { browser, context, page, faults };
}

/**
 * @param {import("playwright-core").Page} page
 * @param {{token?: string, person?: string, password?: string}} who
 */
export async function signIn(page, { token, person = "", password = "" }) {
  await page.goto("/");
  if (token) {
    await page.getByRole("button", { name: "Use a token" }).click();
    await page.getByLabel("Token").fill(token);
  } else {
    await page.getByLabel("User name").fill(person);
    await page.getByLabel("Password").fill(password);
  }
  await page.getByRole("button", { name: "Sign in" }).click();
}
