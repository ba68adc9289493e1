// Disks of nodes, tags of images and links between nodes in the portal.
import assert from "node:assert/strict";
import { signIn } from "./browser.js";
import { accessibilityFaults, heading } from "./pages.js";

/** @param {any} page @param {string} name of the button that the dialog ends with */
const confirm = (page, name) =>
  page.getByRole("dialog").getByRole("button", { name, exact: true }).click();

/** @type {Record<string, (one: any, given: any) => Promise<void>>} */
export const diskFlows = {
  async save_and_roll_back_a_disk({ page }, { token, cluster, node }) {
    await signIn(page, { token });
    await page.goto(`/#/clusters/${cluster}/nodes/${node}`);
    const disk = page.getByRole("region", { name: "Disk" });
    await disk.getByText("yes: it is lost if the disk is lost").waitFor();
    await disk.getByText("No generations were saved.").waitFor();
    for (const name of ["clean", "second"]) {
      await disk.getByRole("button", { name: "Save the disk" }).click();
      await page.getByLabel("Name, if you like").fill(name);
      await confirm(page, "Save");
      await disk.locator("tr", { hasText: name }).waitFor();
    }
    await disk.getByText("generation 2 (second)").waitFor();
    assert.deepEqual(await accessibilityFaults(page, "disk"), []);
    await disk.getByRole("button", { name: "Roll back: generation 1" }).click();
    await confirm(page, "Roll back");
    await disk.getByText("generation 1 (clean)").waitFor();
    // What the disk continues cannot be removed; the dialog says why, and stays.
    await disk.getByRole("button", { name: "Remove: generation 1" }).click();
    await confirm(page, "Remove");
    await page.getByRole("dialog").getByRole("alert").waitFor();
    await confirm(page, "Cancel");
    await disk.getByRole("button", { name: "Remove: generation 2" }).click();
    await confirm(page, "Remove");
    await disk.locator("tr", { hasText: "second" }).waitFor({ state: "detached" });
  },

  async tag_an_image({ page }, { token, images: [older, newer] }) {
    await signIn(page, { token });
    await page.getByRole("link", { name: "Images", exact: true }).click();
    await heading(page, "Images");
    const row = (/** @type {string} */ image) => page.locator("tr", { hasText: image });
    for (const image of [older, newer]) {
      await page.getByRole("button", { name: "Tags of " + image }).click();
      await page.getByLabel("New tag").fill("system:stable");
      await confirm(page, "Save");
      await row(image).getByText("system:stable").waitFor();
    }
    await row(older).getByText("system:stable").waitFor({ state: "detached" });
    await page.getByRole("button", { name: "Tags of " + newer }).click();
    await page.getByLabel("system:stable").uncheck();
    assert.deepEqual(await accessibilityFaults(page, "tags"), []);
    await confirm(page, "Save");
    await row(newer).getByText("system:stable").waitFor({ state: "detached" });
    await page.getByRole("button", { name: "Tags of " + newer }).click();
    await page.getByLabel("New tag").fill("no colon");
    await confirm(page, "Save");
    await page.getByRole("dialog").getByRole("alert").waitFor();
  },

  async measure_links({ page }, { token, cluster, reason }) {
    await signIn(page, { token });
    await page.goto(`/#/clusters/${cluster}/overhead`);
    const links = page.getByRole("region", { name: "Links between nodes" });
    await links.getByText("were not measured yet").waitFor();
    await links.getByRole("button", { name: "Measure the links" }).click();
    await links.getByText(reason).waitFor();
    assert.deepEqual(await accessibilityFaults(page, "links"), []);
  },
};
