// Recordings of consoles in the portal.
import assert from "node:assert/strict";
import { signIn } from "./browser.js";
import { accessibilityFaults, heading } from "./pages.js";

/** @type {Record<string, (one: any, given: any) => Promise<void>>} */
export const recordingFlows = {
  /** The recording prints `hello` at once and `world` ten minutes later. */
  async play_and_delete_a_recording({ page }, { token, node }) {
    await signIn(page, { token });
    await page.getByRole("link", { name: "Recordings" }).first().click();
    await heading(page, "Recordings");
    const play = page.getByRole("link", { name: "Play " + node });
    await play.waitFor();
    const file = page.waitForEvent("download");
    await page.getByRole("link", { name: "Download " + node }).click();
    assert.match((await file).suggestedFilename(), /\.cast$/);
    await play.click();
    await heading(page, "Recording of " + node);
    const screen = page.locator(".xterm-rows");
    const shows = (/** @type {RegExp} */ pattern) => screen.filter({ hasText: pattern }).waitFor();
    await shows(/hello/);
    assert.doesNotMatch(await screen.innerText(), /world/);
    await page.getByRole("button", { name: "Pause" }).click();
    await page.getByRole("button", { name: "Play" }).waitFor();
    const position = page.getByLabel("Position");
    await position.focus();
    await page.keyboard.press("End");
    await shows(/hello[^]*world/);
    await page.keyboard.press("Home");
    await screen.filter({ hasNotText: /world/ }).waitFor();
    await page.getByLabel("Speed").selectOption("16");
    await page.getByRole("button", { name: "Play" }).click();
    await shows(/hello/);
    assert.deepEqual(await accessibilityFaults(page, "recording"), []);

    await page.getByRole("link", { name: "All recordings" }).click();
    await heading(page, "Recordings");
    await page.getByRole("button", { name: "Delete " + node }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
    await page.getByText("There are no recordings.").waitFor();
  },
};
