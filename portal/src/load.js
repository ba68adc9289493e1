// Loads the page again if one of its scripts or styles could not be fetched, as happens when the
// browser's network changes meanwhile. The first script of each page, and no module: a module that
// lacks another one does not run at all.
(() => {
  const key = "nucleus-loads";
  const loadsMax = 4;
  const delay = 500;  // ms, doubled each time
  let hasFailed = false;

  addEventListener("error", event => {
    const part = event.target;
    const isStyle = part instanceof HTMLLinkElement && part.rel === "stylesheet";
    if (hasFailed || !(isStyle || part instanceof HTMLScriptElement)) return;
    hasFailed = true;
    const loads = Number(sessionStorage.getItem(key) ?? 0) + 1;
    if (loads >= loadsMax) {
      sessionStorage.removeItem(key);
      document.body.textContent = "The page could not be loaded. Reload it once the gateway can " +
        "be reached.";
      return;
    }
    sessionStorage.setItem(key, String(loads));
    setTimeout(() => location.reload(), delay << (loads - 1));
  }, true);
  addEventListener("load", () => { if (!hasFailed) sessionStorage.removeItem(key); });
})();
