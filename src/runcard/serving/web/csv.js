// CSV in and out: quotes where a cell needs them, doubled within.

// The rows of a text, each a list of texts; no more than so many. An empty line is a row, as the service reads it.
function parseCsv(text, separator, most = Infinity) {
  const found = [], plainEnd = new RegExp(`[${separator}\\r\\n]`, "g");
  let row = [], at = text.charCodeAt(0) === 0xfeff ? 1 : 0;
  while (at < text.length && found.length < most) {
    let cell = "";
    if (text[at] === '"') {
      let end = text.indexOf('"', ++at);
      while (end >= 0 && text[end + 1] === '"') {
        cell += text.slice(at, end + 1);
        at = end + 2;
        end = text.indexOf('"', at);
      }
      if (end < 0) end = text.length;
      cell += text.slice(at, end);
      at = end + 1;
    } else {
      plainEnd.lastIndex = at;
      const end = plainEnd.exec(text)?.index ?? text.length;
      cell = text.slice(at, end);
      at = end;
    }
    row.push(cell);
    if (text[at] === separator) {
      at++;
      if (at < text.length) continue;
      row.push("");
    }
    if (text[at] === "\r") at++;
    if (text[at] === "\n") at++;
    found.push(row);
    row = [];
  }
  return found;
}
function writeCsv(table, separator) {
  const special = new RegExp(`[${separator}"\\r\\n]`);
  const written = cell => special.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
  // Of one column, an empty cell alone would be a blank line, which is no row.
  const line = row => (row.length === 1 && row[0] === "" ? '""' : row.map(written).join(separator));
  return table.map(row => line(row) + "\n").join("");
}
// A text that a spreadsheet would run as a formula gets a quote before it; numbers stay.
const FORMULA = /^[=+\-@\u0000-\u001f]/, NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;
const isFormula = cell => FORMULA.test(cell) && !NUMBER.test(cell);
const withoutFormulas = table => table.map(row => row.map(cell => isFormula(cell) ? "'" + cell : cell));
// Rows as named fields, as a CSV; what is unknown is left empty, lists are written as JSON.
function csvOf(rows) {
  const names = Object.keys(model.kinds);
  const text = given => given === null ? "" : typeof given === "object" ? JSON.stringify(given) : String(given);
  return writeCsv([names, ...rows.map(row => names.map(name => text(row[name])))], model.separator);
}
