// node check.js FOLDER [PICTURES]: looks at built slides as an audience would.
//
// Opens FOLDER/*.html in Chromium and prints what is wrong: a slide that does
// not fit, text that is too small or too pale, a link or a picture that leads
// nowhere, an error on the console, a presenter's view that does not open.
// Writes a picture of every slide to the folder PICTURES if it is given.

const fs = require('fs');
const path = require('path');
const { withBrowser } = require('./browser');
const { serve } = require('./serve');

const WIDTH = 1280;
const HEIGHT = 720;
const SMALLEST_TEXT = 18;
const LEAST_CONTRAST = 4.5;
const MARGIN = 12;
const PATIENCE_MS = 60000;  // with a busy machine

// Runs in the page: what is wrong with the slide that is shown.
function inspect(section, limits) {
  const problems = [];
  const quoted = (text) => `"${text.trim().replace(/\s+/g, ' ').slice(0, 40)}"`;

  const canvas = document.createElement('canvas').getContext('2d',
    { willReadFrequently: true });
  const rgba = (color) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const luminance = (color) => {
    const [r, g, b] = rgba(color).map((v) => {
      const c = v / 255;
      return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (a, b) => {
    const [light, dark] = [luminance(a), luminance(b)].sort((x, y) => y - x);
    return (light + 0.05) / (dark + 0.05);
  };
  const isOpaque = (color) => color !== 'none' && rgba(color)[3] > 250;
  // What lies behind a point of the text `element`.
  const background = (element, x, y) => {
    const stack = document.elementsFromPoint(x, y);
    const own = stack.indexOf(element);
    for (const behind of stack.slice(Math.max(own, 0))) {
      const style = getComputedStyle(behind);
      const isShape = behind instanceof SVGGeometryElement;
      const color = isShape ? style.fill : style.backgroundColor;
      if (!(behind instanceof SVGElement && !isShape) && isOpaque(color)) {
        return color;
      }
    }
    return 'white';
  };

  const footers = [...section.querySelectorAll('footer')];
  const footer = footers.map((f) => f.getBoundingClientRect());
  const walker = document.createTreeWalker(section, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement;
    if (!node.data.trim() || element.closest('style, script, title, desc')) {
      continue;
    }
    const range = document.createRange();
    range.selectNodeContents(node);
    const style = getComputedStyle(element);
    const isSvg = element instanceof SVGElement;
    for (const box of range.getClientRects()) {
      if (box.width < 1 || box.height < 1) continue;
      if (box.left < limits.margin || box.top < limits.margin ||
          box.right > limits.width - limits.margin ||
          box.bottom > limits.height - limits.margin) {
        problems.push(`${quoted(node.data)} leaves the frame`);
        break;
      }
      if (!element.closest('footer') && footer.some((other) =>
        box.bottom > other.top && box.top < other.bottom &&
        box.left < other.right && box.right > other.left)) {
        problems.push(`${quoted(node.data)} covers the footer`);
        break;
      }
    }
    let scale = 1;
    if (isSvg) {
      const box = element.closest('text').getBBox();
      const seen = element.closest('text').getBoundingClientRect();
      scale = seen.height / box.height;
    }
    const size = parseFloat(style.fontSize) * scale;
    if (size < limits.text - 0.01) {
      problems.push(`${quoted(node.data)} is ${size.toFixed(1)} px high; ` +
        `${limits.text} are the least`);
    }
    const box = range.getBoundingClientRect();
    const behind = background(element, box.left + box.width / 2,
      box.top + box.height / 2);
    const ratio = contrast(isSvg ? style.fill : style.color, behind);
    if (ratio < limits.contrast) {
      problems.push(`${quoted(node.data)} has a contrast of ` +
        `${ratio.toFixed(2)}; ${limits.contrast} is the least`);
    }
  }
  // What has no text of its own, or is cut off.
  const content = [...section.children].filter((e) => !footers.includes(e));
  for (const element of content) {
    const box = element.getBoundingClientRect();
    if (box.bottom > limits.height - 44 || box.right > limits.width - 30) {
      problems.push(`<${element.localName}> reaches ${Math.round(box.right)},` +
        `${Math.round(box.bottom)}, out of its place`);
    }
  }
  for (const element of section.querySelectorAll('pre, table')) {
    if (element.scrollWidth > element.clientWidth + 1 ||
        element.scrollHeight > element.clientHeight + 1) {
      problems.push(`<${element.localName}> is cut off`);
    }
  }
  for (const image of section.querySelectorAll('img')) {
    if (!image.complete || image.naturalWidth === 0) {
      problems.push(`the image ${image.getAttribute('src')} is not there`);
    }
  }
  for (const picture of section.querySelectorAll('.picture')) {
    const box = picture.getBoundingClientRect();
    if (box.height < 80) problems.push('there is no room for the picture');
  }
  return problems;
}

async function check(folder, pictures) {
  const problems = [];
  const server = await serve(folder, 0);
  const root = `http://127.0.0.1:${server.address().port}/`;
  if (pictures) fs.mkdirSync(pictures, { recursive: true });

  await withBrowser(async (browser) => {
    // A page that reports what goes wrong in it as a problem of `where`.
    const open = async (url, where) => {
      const page = await browser.newPage();
      await page.setViewport({ width: WIDTH, height: HEIGHT });
      page.on('console', (message) => {
        if (message.type() === 'error') {
          problems.push(`${where}: console: ${message.text()}`);
        }
      });
      page.on('pageerror', (error) => {
        problems.push(`${where}: ${error.message}`);
      });
      page.on('request', (request) => {
        // A deck is whole in one file. The browser wants an icon by itself.
        if (!request.isNavigationRequest() &&
            !/^(data|blob):|\/favicon\.ico$/.test(request.url())) {
          problems.push(`${where}: loads ${request.url()}`);
        }
      });
      await page.goto(url);
      await page.evaluate(() => document.fonts.ready);
      return page;
    };
    const checkLinks = async (page, where) => {
      const links = await page.$$eval('a[href]', (all) =>
        all.map((a) => [a.getAttribute('href'), a.href]));
      for (const [name, target] of links) {
        if (!target.startsWith(root)) {
          problems.push(`${where}: the link ${name} leaves the slides`);
        } else if (!(await fetch(target)).ok) {
          problems.push(`${where}: the link ${name} leads nowhere`);
        }
      }
    };

    for (const name of fs.readdirSync(folder).sort()) {
      if (!name.endsWith('.html')) continue;
      const page = await open(root + name, name);
      await checkLinks(page, name);
      const slides = (await page.$$('svg[data-marpit-svg]')).length;
      if (name !== 'index.html' && slides === 0) {
        problems.push(`${name}: there are no slides`);
      }
      for (let number = 1; number <= slides; ++number) {
        await page.evaluate((n) => { location.hash = `#${n}`; }, number);
        const active = `svg[data-marpit-svg].bespoke-marp-active`;
        await page.waitForFunction(
          (selector, n) => document.querySelectorAll(selector).length === 1 &&
            document.querySelector(selector) ===
              document.querySelectorAll('svg[data-marpit-svg]')[n - 1],
          { timeout: PATIENCE_MS }, active, number);
        const section = await page.$(`${active} section`);
        const found = await section.evaluate(inspect, {
          width: WIDTH, height: HEIGHT, margin: MARGIN, text: SMALLEST_TEXT,
          contrast: LEAST_CONTRAST });
        for (const problem of new Set(found)) {
          problems.push(`${name}: slide ${number}: ${problem}`);
        }
        if (pictures) {
          await page.addStyleTag({ content:
            '.bespoke-marp-osc { visibility: hidden }' });
          const base = name.replace('.html', '');
          await page.screenshot({ path: path.join(pictures,
            `${base}-${String(number).padStart(2, '0')}.png`) });
        }
      }
      if (slides > 0) {
        // As the speaker opens it.
        const opened = new Promise((resolve) => page.once('popup', resolve));
        await page.keyboard.press('p');
        const presenter = await Promise.race([opened, new Promise((resolve) => {
          setTimeout(resolve, PATIENCE_MS, null).unref();
        })]);
        const notes = presenter && await presenter.waitForFunction(() =>
          document.querySelector('.bespoke-marp-note.active')?.textContent,
        { timeout: PATIENCE_MS }).then((text) => text.jsonValue(), () => '');
        if (!notes || !notes.includes('Say:')) {
          problems.push(`${name}: the presenter's view shows no notes`);
        }
        if (presenter) await presenter.close();
        if (!fs.existsSync(path.join(folder, name.replace('.html', '.pdf')))) {
          problems.push(`${name}: there is no PDF of it`);
        }
      }
      await page.close();
    }
  });
  server.close();
  return problems;
}

module.exports = { check };

if (require.main === module) {
  check(process.argv[2], process.argv[3]).then((problems) => {
    for (const problem of problems) console.error(problem);
    console.log(problems.length ? `${problems.length} problems` :
      'All slides fit and can be read.');
    process.exitCode = problems.length ? 1 : 0;
  }).catch((error) => {
    console.error(error);
    process.exitCode = 2;
  });
}
