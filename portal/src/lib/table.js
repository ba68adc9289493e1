// A table of any length: only the rows that are in sight are drawn. Rows have one height.
import { useMemo, useRef, useState } from "preact/hooks";
import { html } from "./ui.js";

const rowHeight = 32;
const spare = 12;  // rows that are drawn above and below those in sight

/**
 * @template T
 * @typedef {object} Column
 * @property {string} title
 * @property {(row: T) => any} cell
 * @property {(row: T) => string | number} [order] how the column sorts; without it, it does not
 * @property {boolean} [isNumber]
 * @property {boolean} [isWide] left out on narrow screens
 */

/**
 * The rows in the order of a column.
 * @param {any[]} rows
 * @param {Column<any> | undefined} column
 * @param {boolean} isDown
 */
function sorted(rows, column, isDown) {
  const order = column?.order;
  if (!order) return rows;
  const collator = new Intl.Collator([], { numeric: true });
  const sign = isDown ? -1 : 1;
  const decorated = rows.map(row => ({ row, key: order(row) }));
  decorated.sort((a, b) => sign * (typeof a.key === "number" && typeof b.key === "number"
    ? a.key - b.key : collator.compare(String(a.key), String(b.key))));
  return decorated.map(one => one.row);
}

/** A column's title, which sorts when pressed. @param {any} props */
const Title = ({ column, isSorted, isDown, press }) => html`
  <th scope="col" class=${(column.isNumber ? "number " : "") + (column.isWide ? "wide" : "")}
      aria-sort=${isSorted ? (isDown ? "descending" : "ascending") : undefined}>
    ${column.order ? html`<button class="sort" onClick=${press}>${column.title}
      <span aria-hidden="true">${isSorted ? (isDown ? " ▾" : " ▴") : ""}</span></button>`
      : column.title}
  </th>`;

/**
 * @param {object} props
 * @param {string} props.label what the table shows, for screen readers
 * @param {any[]} props.rows
 * @param {Column<any>[]} props.columns
 * @param {string} props.id the field that tells rows apart
 * @param {string} [props.empty] what is shown instead of no rows
 * @param {{has: (row: any) => boolean, toggle: (row: any) => void, toggleAll: () => void,
 *          isAll: boolean, nameOf: (row: any) => string}} [props.selection]
 */
export function Table({ label, rows, columns, id, empty, selection }) {
  const [top, setTop] = useState(0);
  const [height, setHeight] = useState(800);
  const [sort, setSort] = useState({ index: -1, isDown: false });
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  const shown = useMemo(() => sorted(rows, columns[sort.index], sort.isDown),
                        [rows, sort.index, sort.isDown]);
  const first = Math.max(0, Math.min(Math.floor(top / rowHeight) - spare, shown.length - 1));
  const count = Math.ceil(height / rowHeight) + 2 * spare;
  const drawn = shown.slice(first, first + count);
  const below = Math.max(0, shown.length - first - drawn.length);
  const onScroll = () => {
    const element = /** @type {HTMLElement} */ (box.current);
    setTop(element.scrollTop);
    setHeight(element.clientHeight);
  };
  const span = columns.length + (selection ? 1 : 0);
  const press = (/** @type {number} */ index) => () =>
    setSort({ index, isDown: sort.index === index && !sort.isDown });
  const gap = (/** @type {number} */ rowsAway) => rowsAway > 0 && html`
    <tr aria-hidden="true"><td colspan=${span} style=${{ height: rowsAway * rowHeight + "px",
      padding: 0 }}></td></tr>`;
  return html`
    <div class="table-box" role="region" aria-label=${label} tabindex="0" ref=${box}
         onScroll=${onScroll}>
      <table aria-rowcount=${shown.length + 1}>
        <thead><tr aria-rowindex="1">
          ${selection && html`<th scope="col" class="pick"><input type="checkbox"
            aria-label="Select all" checked=${selection.isAll}
            onChange=${selection.toggleAll} /></th>`}
          ${columns.map((column, i) => html`<${Title} column=${column} isSorted=${sort.index === i}
            isDown=${sort.isDown} press=${press(i)} />`)}
        </tr></thead>
        <tbody>
          ${gap(first)}
          ${drawn.map((row, i) => html`
            <tr key=${row[id]} aria-rowindex=${first + i + 2}>
              ${selection && html`<td class="pick"><input type="checkbox"
                aria-label=${"Select " + selection.nameOf(row)} checked=${selection.has(row)}
                onChange=${() => selection.toggle(row)} /></td>`}
              ${columns.map(column => html`<td class=${(column.isNumber ? "number " : "") +
                (column.isWide ? "wide" : "")}>${column.cell(row)}</td>`)}
            </tr>`)}
          ${gap(below)}
        </tbody>
      </table>
      ${shown.length === 0 && html`<p class="empty">${empty ?? "Nothing here."}</p>`}
    </div>`;
}
