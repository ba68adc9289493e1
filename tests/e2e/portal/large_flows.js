// A cluster of 1,944 nodes in the portal: what it takes to show it, and changes in it.
import assert from "node:assert/strict";
import { signIn } from "./browser.js";
import { rowWith } from "./pages.js";

/** @type {Record<string, (one: any, given: any) => Promise<void>>} */
export const largeFlows = {
  /** From a first visit to the live view of a large cluster on a slow line; prints what it took. */
  async open_a_large_cluster_slowly({ page, context }, { token, cluster, nodes, bytesMax }) {
    const devtools = await context.newCDPSession(page);
    let bytes = 0;
    devtools.on("Network.loadingFinished", one => { bytes += one.encodedDataLength; });
    devtools.on("Network.webSocketFrameReceived",
                one => { bytes += one.response.payloadData.length; });
    await devtools.send("Network.enable");
    const rate = 3e6 / 8;  // 3 Mbit/s
    await devtools.send("Network.emulateNetworkConditions", { offline: false, latency: 0,
      downloadThroughput: rate, uploadThroughput: rate });
    const visited = performance.now();
    await page.goto("/#/clusters/" + cluster);
    await page.getByRole("button", { name: "Use a token" }).click();
    await page.getByLabel("Token").fill(token);
    const ready = performance.now();
    const before = bytes;
    await page.getByRole("button", { name: "Sign in" }).click();
    const box = page.getByRole("region", { name: "Nodes of " + cluster });
    await box.locator("tbody tr").nth(10).waitFor();
    const first = performance.now();
    await page.getByText(nodes).first().waitFor();
    await page.getByText("live", { exact: true }).waitFor();
    const live = performance.now();
    process.stdout.write(JSON.stringify({ bytes_to_sign_in: before, bytes_to_live: bytes,
      page_ms: ready - visited, first_rows_ms: first - ready, live_ms: live - ready }) + "\n");
    assert.ok(before > 10_000, `${before} bytes to the sign-in page: not all were counted`);
    assert.ok(bytes <= bytesMax, `${bytes} bytes to the live view`);
  },

  /** How long after an event its change is in the page; prints milliseconds, one change each. */
  async time_changes({ page }, { token, cluster, node, rounds }) {
    await signIn(page, { token });
    await page.getByRole("link", { name: cluster, exact: true }).click();
    await rowWith(page, node, "nostate").waitFor();
    await page.getByText("1,944 nodes").first().waitFor();
    const headers = { Authorization: "Token " + token };
    const base = process.env.NUCLEUS_URL;
    const { node_id } = await (await fetch(`${base}/v2/clusters/${cluster}/nodes/${node}`,
                                           { headers })).json();
    const stream = await fetch(`${base}/v2/clusters/${cluster}/nodes?watch`, { headers });
    const reader = /** @type {ReadableStream} */ (stream.body).pipeThrough(new TextDecoderStream())
      .getReader();
    // The page's clock is this machine's.
    await page.evaluate(name => {
      const all = /** @type {any} */ (globalThis);
      all.seen = {};
      new MutationObserver(() => {
        const row = [...document.querySelectorAll("tr")].find(one =>
          one.querySelector("a")?.textContent === name);
        const state = row?.querySelector(".state")?.textContent;
        if (state) all.seen[state] ??= Date.now();
      }).observe(document.body, { subtree: true, childList: true, characterData: true });
    }, node);
    let rest = "";
    /** When the event arrived here with which the node is active. */
    const arrival = async () => {
      for (;;) {
        const { value, done } = await reader.read();
        const at = Date.now();
        assert.ok(!done, "the stream of events ended");
        const lines = (rest + value).split("\n");
        rest = lines.pop() ?? "";
        const nodes = lines.filter(line => line.startsWith("data: "))
          .map(line => JSON.parse(line.slice(6))).map(one => one.body?.node ?? one.node);
        if (nodes.some(one => one?.node_id === node_id && one.state === "active" &&
                       one.is_desired_on)) return at;
      }
    };
    const power = async (/** @type {string} */ action) => assert.equal((await fetch(
      `${base}/v2/clusters/${cluster}/nodes/${node}/power`,
      { method: "POST", headers, body: JSON.stringify({ action }) })).status, 202);
    for (let i = 0; i < rounds; ++i) {
      await page.evaluate(() => { delete /** @type {any} */ (globalThis).seen.active; });
      const arrived = arrival();
      const asked = Date.now();
      await power("on");
      const event = await arrived;
      const seen = await page.waitForFunction(
        () => /** @type {any} */ (globalThis).seen.active).then(one => one.jsonValue());
      process.stdout.write(JSON.stringify({ after_event_ms: seen - event,
        after_request_ms: seen - asked }) + "\n");
      await power("off");
      await rowWith(page, node, "nostate").waitFor();
    }
    await reader.cancel();
  },

  async scroll_a_large_cluster({ page }, { token, cluster, last }) {
    await signIn(page, { token });
    await page.getByRole("link", { name: cluster, exact: true }).click();
    const box = page.getByRole("region", { name: "Nodes of " + cluster });
    await box.locator("tbody tr").nth(10).waitFor();
    const bytes = await page.evaluate(() => performance.getEntriesByType("resource")
      .filter(one => one.name.includes("/portal/"))
      .reduce((sum, one) => sum + /** @type {any} */ (one).transferSize, 0));
    assert.ok(bytes > 10_000 && bytes <= 150_000, `${bytes} bytes of modules`);
    await page.getByText("1,944 nodes").first().waitFor();
    await box.evaluate(element => { element.scrollTop = element.scrollHeight; });
    await page.getByRole("link", { name: last, exact: true }).waitFor();
    assert.ok(await box.locator("tbody tr").count() < 100);
  },
};
