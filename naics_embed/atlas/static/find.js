'use strict';

/* Search over codes and titles. */
const find = (() => {
  const words = (text) => text.toLowerCase().normalize('NFKD').match(/[a-z0-9]+/g) || [];

  /** What `search` reads: for each code its spellings and the words of its title. */
  const index = (codes, official, titles) =>
    codes.map((code, i) => ({ code, official: official[i].toLowerCase(), words: words(titles[i]) }));

  /** 0 where an entry does not match, else more for a better match. */
  function score(entry, query, asked) {
    if (entry.code === query || entry.official === query) return 1000;
    if (/^\d+$/.test(query)) return entry.code.startsWith(query) ? 500 - entry.code.length : 0;
    let total = 0;
    for (const word of asked) {
      const exact = entry.words.indexOf(word);
      const place = exact >= 0 ? exact : entry.words.findIndex((other) => other.startsWith(word));
      if (place < 0) return 0;
      total += (exact >= 0 ? 20 : 10) + (place === 0 ? 6 : 0);
    }
    return total + 8 / entry.words.length;
  }

  /** Positions of at most `limit` codes that match all words of a query, best first. */
  function search(entries, text, limit) {
    const query = text.trim().toLowerCase();
    const asked = words(query);
    if (!asked.length) return [];
    return entries
      .map((entry, i) => ({ i, score: score(entry, query, asked) }))
      .filter((found) => found.score > 0)
      .sort((a, b) => b.score - a.score || a.i - b.i)
      .slice(0, limit)
      .map((found) => found.i);
  }

  /**
   * Positions of codes whose known texts have all words of a query, with the words that match.
   *
   * `vocabulary` is sorted, `words` has positions in it for each code.
   */
  function searchKnown(vocabulary, known, text, limit) {
    const asked = words(text).filter((word) => word.length > 2);
    if (!asked.length || !vocabulary.length) return [];
    const matching = asked.map((word) => {
      const stem = word.length > 4 ? word.replace(/(ing|es|s)$/, '') : word;
      return new Set(vocabulary.flatMap((other, i) => (other.startsWith(stem) ? [i] : [])));
    });
    const result = [];
    known.forEach((own, i) => {
      const hits = matching.map((set) => own.find((word) => set.has(word)));
      if (own.length && hits.every((hit) => hit !== undefined)) {
        result.push({ i, words: hits.map((hit) => vocabulary[hit]) });
      }
    });
    return result.slice(0, limit);
  }

  return { index, search, searchKnown, words };
})();

if (typeof module !== 'undefined') module.exports = find;
