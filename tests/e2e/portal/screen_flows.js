// The pictures of nodes' screens in the portal.
import assert from "node:assert/strict";
import { signIn } from "./browser.js";
import { accessibilityFaults } from "./pages.js";

/** The first picture that is not `before`. @param {any} page @param {string} before */
async function nextPicture(page, before) {
  const found = await page.waitForFunction((/** @type {string} */ known) => {
    const canvas = /** @type {HTMLCanvasElement | null} */ (
      document.querySelector(".picture canvas"));
    const picture = canvas && canvas.width > 1 ? canvas.toDataURL() : known;
    return picture !== known && picture;
  }, before);
  return found.jsonValue();
}

/** @type {Record<string, (one: any, given: any) => Promise<void>>} */
export const screenFlows = {
  /** Prints a line when the node shall draw, and when keys were typed. */
  async watch_and_use_a_screen({ page }, { token, cluster, node }) {
    await signIn(page, { token });
    await page.getByRole("link", { name: cluster, exact: true }).click();
    await page.getByRole("link", { name: node, exact: true }).click();
    await page.getByRole("button", { name: "Screen" }).click();
    const screen = page.getByRole("region", { name: "Screen of " + node });
    const live = () => screen.getByText("live").waitFor();
    await live();
    await screen.getByLabel("Watch only").check();
    await live();
    const before = await nextPicture(page, "");
    process.stdout.write("draw\n");
    await nextPicture(page, before);
    const canvas = screen.locator("canvas");
    await canvas.click();
    await page.keyboard.type("unseen");
    await screen.getByLabel("Watch only").uncheck();
    await live();
    await nextPicture(page, "");
    await canvas.click();
    await page.keyboard.type("typed\n", { delay: 50 });
    process.stdout.write("typed\n");
    await page.keyboard.press("Control+F6");
    const focused = await page.evaluate(() => document.activeElement?.textContent);
    assert.equal(focused, "Close");
    assert.deepEqual(await accessibilityFaults(page, "screen"), []);
  },
};
