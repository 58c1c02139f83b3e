// node watch.js PORT: serves the slides on localhost, and makes them anew when
// a deck, or a file that a deck may quote, has changed. Open pages then reload.

const { execFileSync, spawnSync } = require('child_process');
const fs = require('fs');
const path = require('path');
const { build } = require('./build');
const { serve } = require('./serve');

const ROOT = path.dirname(__dirname);
const DECKS = path.join(ROOT, 'build/node/decks');
const OUTPUT = path.join(ROOT, 'build/slides');

// When any file of the project was last changed. It is asked for every second:
// Node 18 cannot watch a tree on Linux.
function lastChange() {
  const names = execFileSync('git', ['ls-files', '-z', '--cached', '--others',
    '--exclude-standard'], { cwd: ROOT }).toString().split('\0');
  return Math.max(...names.map((name) => fs.statSync(path.join(ROOT, name),
    { throwIfNoEntry: false })?.mtimeMs ?? 0));
}

async function remake() {
  const expanded = spawnSync(path.join(__dirname, 'expand.py'),
    ['--output', DECKS], { stdio: 'inherit' });
  if (expanded.status === 0) await build(DECKS, OUTPUT);
}

async function main(port) {
  let seen = lastChange();
  let version = 0;
  await serve(OUTPUT, port, () => String(version));
  console.log(`The slides: http://localhost:${port}/ (Ctrl-C to end)`);
  for (;;) {
    await new Promise((resolve) => { setTimeout(resolve, 1000); });
    const now = lastChange();
    if (now === seen) continue;
    seen = now;
    await remake().catch((error) => console.error(error.message));
    ++version;
  }
}

main(Number(process.argv[2])).catch((error) => {
  console.error(error.message);
  process.exitCode = 1;
});
