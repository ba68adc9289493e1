// Opens the portal in Chromium, for the tests and for screenshots. Collects what must not happen:
// errors of scripts and refusals by the Content-Security-Policy; and requests without an answer,
// which explain a page that waits.
import { chromium } from "playwright-core";

const launching = {
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox"],
};

export const launchServer = () => chromium.launchServer(launching);

/**
 * In the Chromium at BROWSER_ADDRESS, if that is set, else in one of its own.
 * @param {string} url of the gateway
 * @param {import("playwright-core").BrowserContextOptions} [options]
 */
export async function openBrowser(url, options = {}) {
  const address = process.env.BROWSER_ADDRESS;
  const browser = await (address ? chromium.connect(address) : chromium.launch(launching));
  const context = await browser.newContext({ baseURL: url, viewport: { width: 1280, height: 800 },
    ...options });
  /** @type {string[]} */
  const faults = [];
  /** @type {string[]} */
  const unanswered = [];
  context.on("requestfailed", request =>
    unanswered.push(`${request.method()} ${request.url()}: ${request.failure()?.errorText}`));
  context.on("weberror", error => faults.push(String(error.error())));
  context.on("console", message => {
    if (/Content.Security.Policy|TrustedHTML|TrustedScript/i.test(message.text()))
      faults.push(message.text());
  });
  const page = await context.newPage();
  page.setDefaultTimeout(Number(process.env.TIMEOUT_MS ?? 60_000));
  return { browser, context, page, faults, unanswered };
}

const opensMax = 3;

/**
 * Goes to the path. Chromium drops the request if a network device of the machine comes or goes.
 * @param {import("playwright-core").Page} page
 * @param {string} path
 */
async function open(page, path) {
  for (let opens = 1; ; ++opens) {
    try {
      return await page.goto(path);
    } catch (fault) {
      if (opens === opensMax || !String(fault).includes("ERR_NETWORK_CHANGED")) throw fault;
    }
  }
}

/**
 * @param {import("playwright-core").Page} page
 * @param {{token?: string, person?: string, password?: string}} who
 */
export async function signIn(page, { token, person = "", password = "" }) {
  await open(page, "/");
  if (token) {
    await page.getByRole("button", { name: "Use a token" }).click();
    await page.getByLabel("Token").fill(token);
  } else {
    await page.getByLabel("User name").fill(person);
    await page.getByLabel("Password").fill(password);
  }
  await page.getByRole("button", { name: "Sign in" }).click();
}
