// Tests slides/check.js, and slides/build.js with it: each way in which a slide
// can be bad is found, and a good one is not blamed.
//
// NODE_PATH names what npm has installed; `make slides-test` runs this.

const assert = require('node:assert');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { after, before, test } = require('node:test');
const { build } = require('../../slides/build');
const { check } = require('../../slides/check');

const FRONT_MATTER = '---\nmarp: true\ntheme: workshop\n---\n';
const NOTES = '\n<!--\n1 minute\nSay: it.\n-->\n';
const LONG = Array(30).fill('- A line').join('\n');

// Each slide is wrong in one way, which the check must name.
const BAD = [
  [`## Too long\n${LONG}`, /^"A line" leaves the frame/],
  ['## Too small\n<p style="font-size: 17px">small</p>',
    /^"small" is 17\.0 px high; 18 are the least/],
  ['## Too pale\n<p style="color: #999">pale</p>',
    /^"pale" has a contrast of 2\.8\d; 4\.5 is the least/],
  ['## Cut off\n<pre style="width: 200px; height: 30px; overflow: hidden">' +
    'one<br>two<br>three</pre>', /^<pre> is cut off/],
  ['## An image\n<img src="data:image/png;base64,AA" alt="">',
    /^the image data:image\/png;base64,AA is not there/],
  ['## A picture that is too wide\n```mermaid\nflowchart LR\n' +
    Array.from({ length: 20 }, (_, i) => `a${i} --> a${i + 1}`).join('\n') +
    '\n```\n', /^"a20" is \d\.\d px high; 18 are the least/],
];
const GOOD = ['## Words, and `code`\n- A line\n\n[index](index.html)',
  '## A program\n```cpp\nint main() { return 0; }  // Done.\n```\n',
  '## What it prints\n```console\n$ client --timeout 1\nhello\n```\n',
  '## A table\n| a | b |\n|---|---|\n| c | d |\n',
  '## A picture\n```mermaid\nsequenceDiagram\nclient->>server: hello\n```\n'];

let folder;
let problems;

before(async () => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'slides-test-'));
  const decks = path.join(folder, 'decks');
  fs.mkdirSync(decks);
  const write = (name, text) =>
    fs.writeFileSync(path.join(decks, name), text);
  const deck = (slides, notes) => FRONT_MATTER +
    slides.map((slide) => `${slide}\n${notes}`).join('\n---\n\n');
  write('01_good.md', deck(GOOD, NOTES));
  write('02_bad.md', deck(BAD.map(([slide]) => slide), NOTES));
  write('03_links.md', deck(['## Links\n[gone](gone.html) ' +
    '[away](http://127.0.0.1:9/) <img src="gone.png" alt="">'], NOTES));
  write('04_error.md', deck(['## Error\n<script>nothing();</script>'], NOTES));
  write('05_silent.md', deck(['## No notes'], ''));
  write('index.html', '<html lang="en"><a href="01_good.html">good</a></html>');
  const output = path.join(folder, 'output');
  await build(decks, output);
  fs.rmSync(path.join(output, '04_error.pdf'));
  problems = await check(output, path.join(folder, 'pictures'));
});

after(() => fs.rmSync(folder, { recursive: true, force: true }));

// The problems of a deck, or of one of its slides.
function of(where) {
  return problems.filter((problem) => problem.startsWith(where))
    .map((problem) => problem.slice(where.length));
}

test('finds nothing wrong with good slides', () => {
  assert.deepEqual(of('01_good.html'), []);
  assert.deepEqual(of('index.html'), []);
});

BAD.forEach(([slide, expected], i) => {
  test(`finds: ${slide.split('\n')[0].slice(3)}`, () => {
    const found = of(`02_bad.html: slide ${i + 1}: `);
    assert(found.some((problem) => expected.test(problem)), `${found}`);
  });
});

test('finds links and images that lead nowhere', () => {
  const found = of('03_links.html: ').join('\n');
  assert.match(found, /the link gone.html leads nowhere/);
  assert.match(found, /the link http:\/\/127.0.0.1:9\/ leaves the slides/);
  assert.match(found, /the image gone.png is not there/);
  assert.match(found, /loads http:.*\/gone.png/);
});

test('finds an error on the console', () => {
  assert.match(of('04_error.html: ').join('\n'), /nothing is not defined/);
});

test('finds that there is no PDF', () => {
  assert.deepEqual(of('04_error.html: there is'), [' no PDF of it']);
});

test('finds that the presenter sees no notes', () => {
  assert.deepEqual(of('05_silent.html: '),
    ['the presenter\'s view shows no notes']);
});

test('takes a picture of every slide', () => {
  const pictures = fs.readdirSync(path.join(folder, 'pictures'));
  assert.equal(pictures.length, GOOD.length + BAD.length + 3);
});
