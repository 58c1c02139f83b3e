// The browser that draws the diagrams, prints the PDFs and checks the slides.

const fs = require('fs');
const os = require('os');
const path = require('path');
const puppeteer = require('puppeteer-core');

// Where Debian and others put it; $CHROME_PATH names another.
function executable() {
  const names = ['chromium', 'chromium-browser', 'google-chrome'];
  const folders = process.env.PATH.split(path.delimiter);
  const found = [process.env.CHROME_PATH,
    ...names.flatMap((name) => folders.map((dir) => path.join(dir, name)))]
    .find((file) => file && fs.existsSync(file));
  if (!found) throw new Error('There is no Chromium; $CHROME_PATH names one.');
  return found;
}

// Runs `work` with a browser that knows nothing of any before it.
async function withBrowser(work) {
  const profile = fs.mkdtempSync(path.join(os.tmpdir(), 'slides-'));
  const browser = await puppeteer.launch({
    executablePath: executable(),
    userDataDir: profile,
    timeout: 120000,
    // It loads only what we have written, so that it needs no sandbox; as root
    // and in containers it could have none.
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
      '--disable-background-networking', '--disable-component-update',
      '--disable-sync', '--disable-dev-shm-usage'],
  });
  try {
    return await work(browser);
  } finally {
    await browser.close();
    fs.rmSync(profile, { recursive: true, force: true });
  }
}

module.exports = { withBrowser };
