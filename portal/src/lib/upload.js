// Uploads of images: the one place that knows how bytes go to the gateway.

/**
 * @typedef {object} Upload
 * @property {string} project
 * @property {string} name
 * @property {string} format raw, qcow2 or iso
 * @property {File} file
 * @property {(sent: number) => void} onProgress bytes that were sent
 * @property {AbortSignal} signal
 */

/**
 * Sends the file in one request. fetch() reports no progress of what it sends.
 * @param {Upload} upload
 * @returns {Promise<void>}
 */
export const uploadImage = ({ project, name, format, file, onProgress, signal }) =>
  new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("PUT", `/v2/images/${encodeURIComponent(project)}/${encodeURIComponent(name)
      }?format=${format}`);
    request.setRequestHeader("X-Requested-With", "portal");
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.upload.onprogress = event => onProgress(event.loaded);
    request.onload = () => {
      if (request.status < 300) return resolve();
      const isProblem = (request.getResponseHeader("Content-Type") ?? "").includes("json");
      reject(new Error(isProblem ? JSON.parse(request.responseText).detail
        : `The gateway answered ${request.status}`));
    };
    request.onerror = () => reject(new Error("The connection was lost"));
    request.onabort = () => reject(new Error("The upload was cancelled"));
    signal.addEventListener("abort", () => request.abort());
    request.send(file);
  });
