import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { Hono } from 'hono'
import type { Platform } from '../platform.ts'
import { openApiDocument } from './openapi.ts'

/** `/openapi.json`, and `/docs` to read it in a browser: everything from this server, nothing from elsewhere. */
export function docs(platform: Platform): Hono {
  const app = new Hono()
  const document = JSON.stringify(openApiDocument(platform))
  // What a browser asks that was given the server's address alone.
  app.get('/', (c) => c.redirect('/docs'))
  app.get('/openapi.json', (c) => c.body(document, 200, { 'Content-Type': 'application/json' }))
  app.get('/docs', (c) => c.html(page, 200, { 'Content-Security-Policy': policy }))
  app.get('/docs/start.js', (c) => c.body(start, 200, { 'Content-Type': 'text/javascript' }))
  for (const [name, type] of Object.entries(files))
    app.get(`/docs/${name}`, async (c) => {
      const bytes = await readFile(join(folder, name))
      return c.body(new Uint8Array(bytes), 200, { 'Content-Type': type, 'Cache-Control': 'max-age=86400' })
    })
  return app
}

const folder = dirname(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'))
const files = {
  'swagger-ui.css': 'text/css',
  'swagger-ui-bundle.js': 'text/javascript',
  'favicon-32x32.png': 'image/png',
}

const policy =
  "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; frame-ancestors 'none'"

const page = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>FreeSWITCH trunks: API</title>
<link rel="icon" href="/docs/favicon-32x32.png">
<link rel="stylesheet" href="/docs/swagger-ui.css">
</head>
<body>
<main id="docs"></main>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
`

// Documents are checked by the server; the page asks nobody else's validator.
const start = `SwaggerUIBundle({ url: '/openapi.json', dom_id: '#docs', deepLinking: true, validatorUrl: null })
`
