// Uploads that may be interrupted by a reload of the page or by closing the browser: kept in local
// storage until they end or the person signs out. A record holds the upload's ticket, which allows
// sending the bytes of this upload and nothing else.

const key = "nucleus-uploads";

/**
 * @typedef {object} UploadRecord
 * @property {string} person who began it
 * @property {string} upload_id
 * @property {string} url
 * @property {string} ticket
 * @property {number} expires_unix_s
 * @property {string} project
 * @property {string} name
 * @property {{name: string, size: number, modified: number}} file what the browser knows of it
 */

/** @returns {UploadRecord[]} */
function all() {
  try {
    const found = JSON.parse(localStorage.getItem(key) ?? "[]");
    return Array.isArray(found) ? found : [];
  } catch {
    return [];  // local storage is off, or holds something else
  }
}

/** @param {UploadRecord[]} records */
function write(records) {
  try {
    if (records.length) localStorage.setItem(key, JSON.stringify(records));
    else localStorage.removeItem(key);
  } catch {
    return;  // the upload still works, but not after a reload
  }
}

/** @param {UploadRecord} record */
export const rememberUpload = record =>
  write([...all().filter(one => one.upload_id !== record.upload_id), record]);

/** @param {string} upload_id */
export const forgetUpload = upload_id =>
  write(all().filter(one => one.upload_id !== upload_id));

export const forgetUploads = () => write([]);

/** Those of a person that have not expired. @param {string} person */
export const rememberedUploads = person =>
  all().filter(one => one.person === person && one.expires_unix_s > Date.now() / 1000);

/** True if this is the file, as far as a browser tells. @param {UploadRecord} record
 * @param {File} file */
export const isFileOf = (record, file) => record.file.name === file.name &&
  record.file.size === file.size && record.file.modified === file.lastModified;
