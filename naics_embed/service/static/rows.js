// Rows of a list, what was found for each, and what was decided. No page here.
const DOUBT = { 'says nothing': 0, uncertain: 1, coarser: 2, coded: 3 };

/** Rows in the order in which they are to be looked at: least can be relied on first. */
export function byDoubt(rows) {
  const place = (row) => (row.answer ? DOUBT[row.answer.status] : -1);
  const best = (row) => row.answer?.hits[0]?.probability ?? 0;
  return [...rows].sort((a, b) => place(a) - place(b) || best(a) - best(b) || a.at - b.at);
}

/** The texts of rows in lists of at most so many, each text once; texts that are empty are left out. */
export function batches(rows, size) {
  const texts = [...new Set(rows.map((row) => row.text.trim()).filter((text) => text))];
  const result = [];
  for (let i = 0; i < texts.length; i += size) result.push(texts.slice(i, i + size));
  return result;
}

export const ADDED = ['naics_code', 'naics_title', 'naics_probability', 'naics_status', 'naics_decision'];

/** The ranked codes of a row, none where its text names no activity. */
export const hitsOf = (row) => (row.answer && row.answer.status !== 'says nothing' ? row.answer.hits : []);

/** The table with what was found and decided; a skipped or open row has the code that was found. */
export function decided(columns, rows) {
  const names = [...columns];
  for (const name of ADDED) {
    let free = name;
    while (names.includes(free)) free += '_';
    names.push(free);
  }
  return {
    columns: names,
    rows: rows.map((row) => {
      const [best] = hitsOf(row);
      const code = row.code ?? best;
      const same = code && best && code.official === best.official;
      return [...row.fields, code?.official ?? '', code?.title ?? '',
        same ? best.probability.toFixed(4) : '', row.answer?.status ?? 'cannot be read', row.decision];
    }),
  };
}

/** The table as a csv file (RFC 4180), in UTF-8 with the mark that spreadsheets want. */
export function csv({ columns, rows }) {
  const field = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  return `\uFEFF${[columns, ...rows].map((row) => row.map(field).join(',')).join('\r\n')}\r\n`;
}
