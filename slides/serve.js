// Serves a folder on localhost; see watch.js and check.js.

const fs = require('fs');
const http = require('http');
const path = require('path');

const TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.pdf': 'application/pdf',
};
const RELOAD = `<script>
  let version;
  setInterval(async () => {
    const now = await (await fetch('/version')).text();
    if (version !== undefined && version !== now) location.reload();
    version = now;
  }, 1000);
</script>`;

// Serves `folder` on `port` (0: any free one), and what `version` returns as
// /version; with it, each page reloads itself when that changes.
function serve(folder, port, version) {
  const server = http.createServer((request, response) => {
    const name = new URL(request.url, 'http://localhost').pathname;
    const file = path.join(folder, path.normalize(decodeURIComponent(
      name.endsWith('/') ? `${name}index.html` : name)));
    const type = TYPES[path.extname(file)];
    if (name === '/favicon.ico') {
      response.writeHead(204).end();
    } else if (name === '/version' && version) {
      response.end(version());
    } else if (type === undefined || !fs.existsSync(file)) {
      response.writeHead(404).end('There is no such page.\n');
    } else {
      response.writeHead(200, { 'content-type': type });
      response.write(fs.readFileSync(file));
      response.end(version && type.startsWith('text') ? RELOAD : '');
    }
  });
  return new Promise((resolve, reject) => {
    server.on('error', reject);
    server.listen(port, '127.0.0.1', () => resolve(server));
  });
}

module.exports = { serve };
