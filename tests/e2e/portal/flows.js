// What people do in the portal, each in a browser context of its own: `node flows.js FLOW JSON`.
// Fails if what a person would see does not appear in time, or if the page caused an error or a
// refusal by the Content-Security-Policy.
import assert from "node:assert/strict";
import { openBrowser, signIn } from "./browser.js";
import { diskFlows } from "./disk_flows.js";
import { largeFlows } from "./large_flows.js";
import { accessibilityFaults, heading, rowWith } from "./pages.js";
import { recordingFlows } from "./recording_flows.js";
import { screenFlows } from "./screen_flows.js";
import { uploadFlows } from "./upload_flows.js";

/** @type {Record<string, (one: any, given: any) => Promise<void>>} */
const flows = {
  ...uploadFlows,
  ...diskFlows,
  ...largeFlows,
  ...recordingFlows,
  ...screenFlows,

  async sign_in_and_out({ page, context }, { person, password }) {
    await signIn(page, { person, password: "wrong password" });
    await page.getByRole("alert").waitFor();
    assert.equal((await context.cookies()).length, 0);
    await page.getByLabel("Password").fill(password);
    await page.getByRole("button", { name: "Sign in" }).click();
    await heading(page, "Clusters");
    const [cookie] = await context.cookies();
    assert.equal(cookie.httpOnly, true);
    assert.equal(cookie.sameSite, "Strict");
    assert.equal(await page.evaluate(() => document.cookie), "");
    await page.reload();
    await heading(page, "Clusters");
    await page.evaluate(() => localStorage.setItem("nucleus-uploads", "[]"));
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByLabel("User name").waitFor();
    assert.equal(await page.evaluate(() => localStorage.getItem("nucleus-uploads")), null);
    assert.equal((await context.cookies()).length, 0);
    await context.addCookies([cookie]);
    assert.equal((await context.request.get("/v2/me")).status(), 401);
  },

  async load_over_a_bad_line({ page }, { token }) {
    /** @param {string} path @param {number} count */
    const drop = (path, count) => page.route(path, (/** @type {any} */ route) =>
      count-- > 0 ? route.abort("connectionreset") : route.continue());
    await drop("**/sign_in.js", 1);
    await drop("**/main.js", 1);
    await drop("**/v2/me", 4);
    await signIn(page, { token });
    await heading(page, "Clusters");
    assert.equal(await page.evaluate(() => sessionStorage.length), 0);
  },

  async start_after_the_plan({ page }, { token, cluster }) {
    await signIn(page, { token });
    await page.getByRole("link", { name: cluster, exact: true }).click();
    await page.getByRole("link", { name: "Start nodes" }).click();
    const plan = page.getByRole("region", { name: "Plan" });
    await plan.getByText("Price").waitFor();
    await page.getByLabel("Compute nodes").fill("2");
    await page.getByLabel("Walltime in hours").fill("2");
    await plan.getByText("2 cores for 2 h").waitFor();
    await plan.getByText(`vm-${cluster}-00, vm-${cluster}-01`).waitFor();
    await plan.getByRole("button", { name: "Start" }).click();
    await page.getByText("running").first().waitFor();
    await page.getByRole("region", { name: "Why" }).getByText("accepted").waitFor();
    await page.getByRole("link", { name: cluster, exact: true }).click();
    await rowWith(page, `vm-${cluster}-01`, "active").waitFor();
  },

  async choose_a_host_class({ page }, { token, cluster, hostClass }) {
    await signIn(page, { token });
    await page.goto(`/#/clusters/${cluster}/start`);
    const plan = page.getByRole("region", { name: "Plan" });
    await plan.getByText("default: 1 SU for a core for an hour").waitFor();
    const field = page.getByLabel("Host class");
    assert.equal(await field.count(), 0);
    process.stdout.write("alone\n");
    await field.getByText(hostClass, { exact: true }).waitFor({ state: "attached" });
    assert.equal(await field.inputValue(), "default");
    await field.selectOption(hostClass);
    await plan.getByText(
      hostClass + ": 2.5 SU for a core and 0.5 SU for a GiB of memory, each for an hour").waitFor();
    assert.deepEqual(await accessibilityFaults(page, "host class"), []);
    await plan.getByRole("button", { name: "Start" }).click();
    await page.getByText("running").first().waitFor();
    const facts = page.getByRole("region", { name: "Computeset", exact: true });
    assert.equal(await facts.locator("div", { hasText: "Host class" }).locator("dd").textContent(),
                 hostClass);
    assert.equal(await facts.getByText("Idle since").count(), 0);
  },

  async see_an_idle_computeset({ page }, { token, computeset }) {
    await signIn(page, { token });
    await heading(page, "Clusters");
    await page.goto("/#/computesets/" + computeset);
    await page.getByText("Idle since").waitFor({ timeout: 180_000 });
  },

  async see_hosts_by_rack({ page }, { token, hosts, rack, other }) {
    await signIn(page, { token });
    await page.getByRole("link", { name: "Hosts" }).click();
    const [placed, moved] = hosts;
    const inRack = (/** @type {string} */ name, /** @type {string} */ host) =>
      page.getByRole("region", { name, exact: true }).locator(`a[href$="${host}"]`);
    await inRack("Rack " + rack, placed).waitFor();
    await inRack("Rack not known", moved).waitFor();
    const answer = await fetch(`${process.env.NUCLEUS_URL}/v2/hosts/${moved}/class`, {
      method: "PATCH", headers: { Authorization: "Token " + token },
      body: JSON.stringify({ rack: other }) });
    assert.equal(answer.status, 200);
    await inRack("Rack " + other, moved).waitFor();
    assert.deepEqual(await page.locator(".rack h2").evaluateAll(all => all.map(one =>
      one.firstChild?.textContent?.trim())), [`Rack ${rack}`, `Rack ${other}`, "Rack not known"]);
    await page.getByLabel("Find hosts").fill(other);
    await page.getByRole("link", { name: placed, exact: true }).waitFor({ state: "detached" });
    await page.getByRole("link", { name: moved, exact: true }).click();
    await heading(page, "Host " + moved);
    await page.locator(".facts div", { hasText: "Rack" }).getByText(other).waitFor();
  },

  async see_a_change({ page }, { token, cluster, node }) {
    await signIn(page, { token });
    await page.getByRole("link", { name: cluster, exact: true }).click();
    await rowWith(page, node, "nostate").waitFor();
    const ask = (/** @type {string} */ action) => fetch(
      `${process.env.NUCLEUS_URL}/v2/clusters/${cluster}/nodes/${node}/power`, { method: "POST",
        headers: { Authorization: "Token " + token }, body: JSON.stringify({ action }) });
    assert.equal((await ask("on")).status, 202);
    await rowWith(page, node, "active").waitFor();
    assert.equal((await ask("off")).status, 202);
    await rowWith(page, node, "nostate").waitFor();
  },

  async power_nodes({ page }, { token, cluster, node }) {
    await signIn(page, { token });
    await page.getByRole("link", { name: cluster, exact: true }).click();
    // A frontend may be powered on, a compute node without a computeset is refused.
    await page.getByLabel(`Select ${node}`, { exact: true }).check();
    await page.getByLabel(`Select vm-${cluster}-02`).check();
    await page.getByRole("button", { name: "Power on" }).click();
    const dialog = page.getByRole("dialog");
    assert.deepEqual(await accessibilityFaults(page, "power"), []);
    await dialog.getByRole("button", { name: "Power on" }).click();
    await dialog.getByText("2 of 2 answered, 1 refused").waitFor();
    await dialog.locator("li", { hasText: node }).getByText("active").first().waitFor();
    await dialog.getByRole("button", { name: "Close" }).click();
    await dialog.waitFor({ state: "detached" });
  },

  async resume_after_a_drop({ page }, { token, cluster }) {
    await signIn(page, { token });
    await page.getByText("live").waitFor();
    process.stdout.write("live\n");
    await page.getByText("connecting").or(page.getByText("offline")).waitFor();
    process.stdout.write("dropped\n");
    await page.getByText("live").waitFor();
    await page.getByRole("link", { name: cluster, exact: true }).waitFor();
  },

  async type_in_a_console({ page }, { token, cluster, node }) {
    await signIn(page, { token });
    await page.getByRole("link", { name: cluster, exact: true }).click();
    await page.getByRole("link", { name: node, exact: true }).click();
    await page.getByRole("button", { name: "Console" }).click();
    const console = page.getByRole("region", { name: "Console of " + node });
    await console.getByText("live").waitFor();
    const screen = console.locator(".xterm-rows");
    const shows = (/** @type {RegExp} */ pattern) => screen.filter({ hasText: pattern }).waitFor();
    await page.keyboard.press("Enter");
    await shows(/login:\s|#\s/);
    await page.keyboard.type("root\n");
    await shows(/#\s/);
    await page.keyboard.type("echo ans$((40+2))wer; printf '\\033]0;<b>title</b>\\007'\n");
    await shows(/ans42wer/);
    assert.match(await page.title(), /^Consoles/);
    await page.keyboard.press("Control+F6");
    const focused = await page.evaluate(() => document.activeElement?.textContent);
    assert.equal(focused, "Close");
    await page.getByRole("link", { name: "Images" }).click();
    await heading(page, "Images");
    await page.getByRole("link", { name: "Consoles" }).click();
    await shows(/ans42wer/);
    assert.deepEqual(await accessibilityFaults(page, "console"), []);
  },

  async use_a_console_link({ page }, { link }) {
    await page.goto(link);
    await page.getByRole("status").getByText("connected to").waitFor();
    assert.equal(new URL(page.url()).hash, "");
    await page.keyboard.press("Enter");
    await page.locator(".xterm-rows").filter({ hasText: /login:\s|#\s/ }).waitFor();
  },

  async see_a_forbidden_cluster({ page }, { token, cluster }) {
    await signIn(page, { token });
    await heading(page, "Clusters");
    await page.goto("/#/clusters/" + cluster);
    await page.getByRole("alert").getByText("no such cluster").waitFor();
    await page.goto("/#/hosts");
    await page.getByRole("alert").first().waitFor();
    assert.equal(await page.getByRole("link", { name: "Hosts" }).count(), 0);
  },

  async drain_a_host({ page }, { token, host }) {
    await signIn(page, { token });
    await page.getByRole("link", { name: "Hosts" }).click();
    await page.getByRole("button", { name: "Drain " + host }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByText(`host ${host}: drained`).waitFor();
    await dialog.getByLabel("Reason").fill("memory is replaced");
    await dialog.getByRole("button", { name: "Drain" }).click();
    await rowWith(page, "memory is replaced", "drained").waitFor();
    await page.getByRole("button", { name: "Resume " + host }).click();
    await dialog.getByRole("button", { name: "Resume" }).click();
    await rowWith(page, host, "up").waitFor();
  },

  async make_and_revoke_a_token({ page }, { person, password }) {
    await signIn(page, { person, password });
    await page.getByRole("link", { name: "Account" }).click();
    await page.getByRole("button", { name: "New token" }).click();
    const dialog = page.getByRole("dialog");
    assert.deepEqual(await accessibilityFaults(page, "new token"), []);
    await dialog.getByLabel("Label").fill("laptop");
    await dialog.getByLabel("Your password").fill("not it at all");
    await dialog.getByRole("button", { name: "Create" }).click();
    await dialog.getByRole("alert").waitFor();
    await dialog.getByLabel("Your password").fill(password);
    await dialog.getByRole("button", { name: "Create" }).click();
    const token = await page.locator(".secret code").textContent();
    const me = () => fetch(process.env.NUCLEUS_URL + "/v2/me",
                           { headers: { Authorization: "Token " + token } });
    assert.equal((await me()).status, 200);
    await page.getByRole("button", { name: "Revoke laptop" }).click();
    await dialog.getByRole("button", { name: "Revoke" }).click();
    await page.getByRole("button", { name: "Revoke laptop" }).waitFor({ state: "detached" });
    assert.equal((await me()).status, 401);
  },

  async set_the_password({ page }, { token, person, password }) {
    await signIn(page, { token });
    await page.getByRole("link", { name: "Account" }).click();
    await page.getByRole("button", { name: "Set the password" }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("New password").fill(password);
    await dialog.getByLabel("Your password").fill(token);
    await dialog.getByRole("button", { name: "Set", exact: true }).click();
    await page.getByText("Your session has ended").waitFor();
    await signIn(page, { person, password });
    await heading(page, "Clusters");
  },

  async be_notified({ page, context }, { token, cluster }) {
    await context.grantPermissions(["notifications"]);
    await page.addInitScript(() => {
      const all = /** @type {any} */ (globalThis);
      all.notices = [];
      all.Notification = class {
        static permission = "granted";
        static requestPermission = async () => "granted";
        constructor(_title, { body }) { all.notices.push(body); }
      };
    });
    await signIn(page, { token });
    await page.getByRole("link", { name: "Computesets" }).click();
    await page.getByRole("button", { name: "Notify me" }).click();
    await page.getByRole("button", { name: "Notify me", pressed: true }).waitFor();
    const answer = await fetch(process.env.NUCLEUS_URL + "/v2/computesets", { method: "POST",
      headers: { Authorization: "Token " + token },
      body: JSON.stringify({ cluster_id: cluster, count: 1 }) });
    const { computeset_id } = await answer.json();
    await page.waitForFunction(text => /** @type {any} */ (globalThis).notices.includes(text),
                               `Computeset ${computeset_id} of ${cluster} has started`);
  },

  async show_hostile_texts({ page }, { token, texts }) {
    await signIn(page, { token });
    for (const [path, text] of Object.entries(texts)) {
      await page.goto("/#/" + path);
      await page.getByText(String(text)).first().waitFor();
    }
    assert.equal(await page.evaluate(() => /** @type {any} */ (globalThis).wasRun), undefined);
  },

  async see_the_class({ page, context }, { token, cluster, node }) {
    await signIn(page, { token });
    await page.getByRole("link", { name: "Consoles" }).click();
    await page.getByRole("link", { name: "Class view" }).click();
    await heading(page, "Class view");
    await page.getByLabel("Cluster").selectOption(cluster);
    const screen = page.locator("li.thumbnail", { hasText: node });
    await screen.getByText("live").waitFor();
    assert.equal(await page.locator("li.thumbnail textarea").evaluateAll(all => all.filter(one => {
      one.focus();
      return document.activeElement === one;
    }).length), 0);
    const typist = await context.newPage();
    await typist.goto(`/#/clusters/${cluster}/nodes/${node}`);
    await typist.getByRole("button", { name: "Console" }).click();
    await typist.getByRole("region", { name: "Console of " + node }).getByText("live").waitFor();
    const typed = typist.locator(".xterm-rows");
    await typist.keyboard.press("Enter");
    await typed.filter({ hasText: /login:\s|#\s/ }).waitFor();
    await typist.keyboard.type("seen-by-the-class");
    await typed.filter({ hasText: "seen-by-the-class" }).waitFor();
    await screen.locator(".xterm-rows").filter({ hasText: "seen-by-the-class" }).waitFor();
    await typist.close();
    assert.deepEqual(await accessibilityFaults(page, "class view"), []);
    await page.getByRole("button", { name: "Open the console of " + node }).click();
    await heading(page, "Consoles");
    await page.getByRole("region", { name: "Console of " + node }).getByText("live").waitFor();
  },

  async see_processes({ page }, { token, stopped }) {
    await signIn(page, { token });
    await page.getByRole("link", { name: "Processes" }).click();
    await page.getByText("All processes of the head are serving.").waitFor();
    for (const name of ["registry", "scheduler", "gateway", stopped])
      await rowWith(page, name, "serving").waitFor();
    process.stdout.write("serving\n");
    await rowWith(page, stopped, "unknown").waitFor();
    await page.getByRole("status").getByText("Not serving: 1 of 7.").waitFor();
    process.stdout.write("unknown\n");
    await rowWith(page, stopped, "serving").waitFor();
  },

  async pass_axe({ page }, { token, pages }) {
    const found = [];
    await page.goto("/");
    await page.getByLabel("User name").waitFor();
    found.push(...await accessibilityFaults(page, "sign in"));
    await signIn(page, { token });
    await heading(page, "Clusters");
    for (const [path, text] of pages) {
      await page.goto(path);
      await page.locator("main").getByText(text).first().waitFor();
      found.push(...await accessibilityFaults(page, path));
    }
    assert.deepEqual(found, []);
  },

  async use_the_keyboard_alone({ page }, { person, password, cluster }) {
    await page.goto("/");
    await page.getByLabel("User name").waitFor();
    await page.keyboard.type(person);
    await page.keyboard.press("Tab");
    await page.keyboard.type(password);
    await page.keyboard.press("Enter");
    await heading(page, "Clusters");
    const tabTo = async (/** @type {string} */ text) => {
      for (let i = 0; i < 60; ++i) {
        await page.keyboard.press("Tab");
        const at = await page.evaluate(() => document.activeElement?.getAttribute("aria-label") ??
          document.activeElement?.textContent?.trim());
        if (at === text) return;
      }
      assert.fail("Tab does not reach " + text);
    };
    await tabTo(cluster);
    await page.keyboard.press("Enter");
    await heading(page, "Cluster " + cluster);
    await tabTo("Select " + cluster);
    await page.keyboard.press("Space");
    await tabTo("Name");
    await page.keyboard.press("Enter");
    await page.locator("th[aria-sort=ascending]").waitFor();
    await page.getByRole("button", { name: "Power on" }).focus();
    await page.keyboard.press("Enter");
    await page.getByRole("dialog").waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
  },
};

const [name, text = "{}"] = process.argv.slice(2);
const { options, ...given } = JSON.parse(text);
const opened = await openBrowser(process.env.NUCLEUS_URL ?? "", options);
try {
  await flows[name](opened, given);
  assert.deepEqual(opened.faults, []);
} catch (fault) {
  console.error(await opened.page.locator("body").innerText().catch(String));
  console.error(opened.faults, opened.unanswered);
  throw fault;
} finally {
  await opened.browser.close();
}
