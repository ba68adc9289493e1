// Uploads of images in the portal.
import assert from "node:assert/strict";
import { signIn } from "./browser.js";
import { accessibilityFaults, heading } from "./pages.js";

/** @type {Record<string, (one: any, given: any) => Promise<void>>} */
export const uploadFlows = {
  async upload_an_image({ page }, { token, file }) {
    await signIn(page, { token });
    await page.getByRole("link", { name: "Images" }).click();
    await page.getByLabel("Image file").setInputFiles(file);
    const dialog = page.getByRole("dialog");
    await dialog.getByRole("button", { name: "Upload" }).click();
    await page.locator("tr", { hasText: "demo/small-disk" }).waitFor();
    await page.getByRole("button", { name: "Remove demo/small-disk" }).click();
    await dialog.getByRole("button", { name: "Remove" }).click();
    await page.getByText("No images yet.").waitFor();
  },

  async drop_an_image({ page }, { token, image }) {
    await signIn(page, { token });
    await page.getByRole("link", { name: "Images" }).click();
    await heading(page, "Images");
    const dropped = await page.evaluateHandle(one => {
      const transfer = new DataTransfer();
      transfer.items.add(new File([new Uint8Array(1 << 20).fill(3)], one + ".raw"));
      return transfer;
    }, image);
    await page.dispatchEvent("main", "dragover", { dataTransfer: dropped });
    await page.locator(".drop.over").waitFor();
    await page.dispatchEvent("main", "drop", { dataTransfer: dropped });
    const dialog = page.getByRole("dialog");
    assert.deepEqual(await accessibilityFaults(page, "upload dialog"), []);
    await dialog.getByRole("button", { name: "Upload" }).click();
    await page.locator("tr", { hasText: "demo/" + image }).waitFor();
    const uploads = page.getByRole("region", { name: "Uploads" });
    await uploads.getByText("published").waitFor();
    await uploads.getByRole("button", { name: "Hide" }).click();
    await uploads.waitFor({ state: "detached" });
  },

  /** Pause, a network that drops, a server that is killed, and a reload. */
  async upload_across_drops({ page }, { token, file, image, sha256 }) {
    const upload = page.locator("li.upload", { hasText: "demo/" + image });
    const bar = upload.getByRole("progressbar");
    const is = (/** @type {string} */ state) =>
      upload.getByRole("status").getByText(state).waitFor();
    const sent = async () => Number(await bar.getAttribute("value"));
    const passes = async (/** @type {number} */ count) => {
      const end = Date.now() + 30_000;
      while (await sent() <= count) assert.ok(Date.now() < end, `${count} bytes are not passed`);
    };
    const have = (/** @type {string} */ done) => process.stdout.write(done + "\n");
    await signIn(page, { token });
    await page.getByRole("link", { name: "Images" }).click();
    await heading(page, "Images");
    await page.getByLabel("Image file").setInputFiles(file);
    await page.getByRole("dialog").getByRole("button", { name: "Upload" }).click();
    await passes(1 << 20);
    await upload.getByText(/\/s, .* left/).waitFor();
    await upload.getByRole("button", { name: "Pause" }).click();
    await is("paused");
    assert.deepEqual(await accessibilityFaults(page, "upload"), []);
    const kept = await sent();
    await page.getByRole("link", { name: "Clusters" }).click();
    await heading(page, "Clusters");
    await page.getByRole("link", { name: "Images" }).click();
    await is("paused");
    await upload.getByRole("button", { name: "Continue" }).click();
    await passes(kept);

    have("cut");
    await is("waiting");
    have("mend");
    await is("sending");
    await passes(kept + (2 << 20));
    have("kill");
    await is("waiting");
    await is("sending");
    const before = await sent();
    await passes(before);

    await page.reload();
    await upload.getByText("again to continue").waitFor();
    await passes(kept);
    assert.deepEqual(await accessibilityFaults(page, "interrupted upload"), []);
    await page.getByLabel("Image file").setInputFiles(file);
    await is("sending");
    have("hurry");
    await is("published");
    await page.locator("tr", { hasText: "demo/" + image })
      .locator(`code[title="${sha256}"]`).waitFor();
    assert.equal(await page.evaluate(() => localStorage.getItem("nucleus-uploads")), null);
  },

  async cancel_an_upload({ page }, { token, file, image }) {
    await signIn(page, { token });
    await page.getByRole("link", { name: "Images" }).click();
    await heading(page, "Images");
    await page.getByLabel("Image file").setInputFiles(file);
    await page.getByRole("dialog").getByRole("button", { name: "Upload" }).click();
    const upload = page.locator("li.upload", { hasText: "demo/" + image });
    await upload.getByText("sending").waitFor();
    await upload.getByRole("button", { name: "Cancel" }).click();
    await upload.waitFor({ state: "detached" });
    assert.equal(await page.evaluate(() => localStorage.getItem("nucleus-uploads")), null);
  },
};
