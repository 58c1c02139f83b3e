// How Marp reads the decks: with HTML, which the diagrams are, and with lines
// that end where they are full, not where the source breaks them.
module.exports = {
  html: true,
  options: { markdown: { breaks: false } },
};
