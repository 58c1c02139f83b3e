// node build.js DECKS OUTPUT: makes HTML and PDF of what expand.py has written.
//
// DECKS/NN_topic.md becomes OUTPUT/NN_topic.html and .pdf, each of them whole
// in one file; DECKS/index.html becomes OUTPUT/index.html. Only what has
// changed since the last time is made again.

const crypto = require('crypto');
const fs = require('fs');
const path = require('path');
const { pathToFileURL } = require('url');
const { marpCli } = require('@marp-team/marp-cli');
const { withBrowser } = require('./browser');

// Written as its text alone, so that a file that did not change keeps its time.
function write(file, text) {
  if (!fs.existsSync(file) || fs.readFileSync(file, 'utf8') !== text) {
    fs.writeFileSync(file, text);
  }
}

function isNewer(file, than) {
  return fs.existsSync(file) &&
    fs.statSync(file).mtimeMs >= fs.statSync(than).mtimeMs;
}

// The fonts as CSS that holds them.
function fontFaces() {
  const face = (family, pack, weight) => {
    const file = require.resolve(
      `@fontsource/${pack}/files/${pack}-latin-${weight}-normal.woff2`);
    const data = fs.readFileSync(file).toString('base64');
    return `@font-face { font-family: "${family}"; font-weight: ${weight}; ` +
      `src: url(data:font/woff2;base64,${data}) format("woff2"); }\n`;
  };
  return face('Inter', 'inter', 400) + face('Inter', 'inter', 700) +
    face('JetBrains Mono', 'jetbrains-mono', 400) +
    face('JetBrains Mono', 'jetbrains-mono', 700);
}

// ------------------------------------------------------------------- diagrams

const MERMAID = {
  startOnLoad: false,
  theme: 'base',
  fontFamily: 'Inter',
  htmlLabels: false,
  themeVariables: {
    fontFamily: 'Inter',
    fontSize: '20px',
    primaryColor: '#e3f1f3',
    primaryBorderColor: '#0b6e7c',
    primaryTextColor: '#16232b',
    lineColor: '#16232b',
    textColor: '#16232b',
    signalColor: '#16232b',
    signalTextColor: '#16232b',
    actorLineColor: '#7d93a0',
    noteBkgColor: '#fdf1d3',
    noteBorderColor: '#b98a1d',
    noteTextColor: '#16232b',
    labelBoxBkgColor: '#e3f1f3',
    edgeLabelBackground: '#ffffff',
    clusterBkg: '#f7fafb',
    clusterBorder: '#7d93a0',
    activationBkgColor: '#f6c667',
    activationBorderColor: '#b98a1d',
  },
  sequence: {
    actorFontFamily: 'Inter', actorFontSize: 20, actorFontWeight: 700,
    messageFontFamily: 'Inter', messageFontSize: 20,
    noteFontFamily: 'Inter', noteFontSize: 20,
    wrap: true, width: 195, actorMargin: 10, height: 44, boxMargin: 4,
    noteMargin: 8, diagramMarginX: 8, diagramMarginY: 8, bottomMarginAdj: 0,
    mirrorActors: false,
  },
  flowchart: {
    htmlLabels: false, nodeSpacing: 40, rankSpacing: 50, wrappingWidth: 500,
    padding: 14,
  },
};

// Draws Mermaid's text; keeps each picture under the hash of all it is made of.
class Painter {
  constructor(browser, folder, fonts) {
    this.browser = browser;
    this.folder = folder;
    this.fonts = fonts;
    fs.mkdirSync(folder, { recursive: true });
  }

  async svg(text) {
    const version = require('mermaid/package.json').version;
    const name = 'picture-' + crypto.createHash('sha256')
      .update(JSON.stringify([version, MERMAID, text])).digest('hex')
      .slice(0, 12);
    const file = path.join(this.folder, `${name}.svg`);
    if (!fs.existsSync(file)) {
      fs.writeFileSync(file, await this.draw(name, text));
    }
    return fs.readFileSync(file, 'utf8');
  }

  async draw(name, text) {
    const page = await this.browser.newPage();
    await page.setContent(`<style>${this.fonts}</style>`);
    const mermaid = path.join(
      path.dirname(require.resolve('mermaid/package.json')),
      'dist/mermaid.min.js');
    await page.addScriptTag({ path: mermaid });
    const svg = await page.evaluate(async (config, id, source) => {
      await document.fonts.load('20px Inter');
      await document.fonts.load('bold 20px Inter');
      window.mermaid.initialize(config);
      return (await window.mermaid.render(id, source)).svg;
    }, MERMAID, name, text);
    await page.close();
    // The names of its parts become its own, since many pictures share a page;
    // and in Markdown, an empty line would end the HTML.
    const width = svg.match(/viewBox="\S+ \S+ (\S+) \S+"/)[1];
    return svg
      .replace(/ id="(?!picture)([^"]*)"/g, ` id="${name}-$1"`)
      .replace(/url\(#(?!picture)([^)]*)\)/g, `url(#${name}-$1)`)
      .replace(/(xlink:)?href="#(?!picture)/g, `$1href="#${name}-`)
      .replace(/style="max-width:[^"]*"/, `style="--width: ${width}px"`)
      .replace(/\s*\n\s*/g, ' ');
  }
}

// ---------------------------------------------------------------------- decks

async function build(decks, output) {
  const fonts = fontFaces();
  const theme = path.join(decks, 'theme.css');
  write(theme, fs.readFileSync(path.join(__dirname, 'theme.css'), 'utf8') +
    fonts);
  const config = path.join(__dirname, 'marp.config.js');
  fs.mkdirSync(output, { recursive: true });
  const names = fs.readdirSync(decks).filter((name) => /^\d.*\.md$/.test(name))
    .map((name) => path.parse(name).name);

  await withBrowser(async (browser) => {
    const painter = new Painter(browser, path.join(decks, 'pictures'), fonts);
    for (const name of names) {
      // With the pictures in.
      const source = fs.readFileSync(path.join(decks, `${name}.md`), 'utf8');
      let text = '';
      let end = 0;
      for (const block of source.matchAll(/^```mermaid\n([^]*?)^```$/gm)) {
        text += source.slice(end, block.index) +
          `<div class="picture">${await painter.svg(block[1])}</div>`;
        end = block.index + block[0].length;
      }
      const whole = path.join(decks, 'whole', `${name}.md`);
      fs.mkdirSync(path.dirname(whole), { recursive: true });
      write(whole, text + source.slice(end));

      const html = path.join(output, `${name}.html`);
      if (![whole, theme, config].every((file) => isNewer(html, file))) {
        const status = await marpCli([whole, '--output', html,
          '--config-file', config, '--theme-set', theme, '--quiet']);
        if (status !== 0) throw new Error(`Marp has failed on ${name}.md`);
      }
      const pdf = path.join(output, `${name}.pdf`);
      if (!isNewer(pdf, html)) {
        const page = await browser.newPage();
        await page.goto(pathToFileURL(html));
        await page.evaluate(() => document.fonts.ready);
        await page.pdf({ path: pdf, preferCSSPageSize: true,
          printBackground: true });
        await page.close();
      }
      console.log(`${name}: ${html}`);
    }
  });
  // What an earlier deck has left.
  for (const name of fs.readdirSync(output)) {
    if (/^\d/.test(name) && !names.includes(path.parse(name).name)) {
      fs.rmSync(path.join(output, name));
    }
  }
  const index = fs.readFileSync(path.join(decks, 'index.html'), 'utf8');
  write(path.join(output, 'index.html'),
    index.replace('/* fonts */', fonts));
}

module.exports = { build };

if (require.main === module) {
  build(process.argv[2], process.argv[3]).catch((error) => {
    console.error(error.message);
    process.exitCode = 1;
  });
}
