import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A request that a webhook server got. */
export type Asked = {
  method: string
  path: string
  fields: Record<string, string>
  headers: IncomingMessage['headers']
}

/** A customer's webhook server on loopback: answers each path with what `documents` has for it, after `delays` ms, and
 * sets the `cookies` that are named for it. */
export async function startWebhooks(
  documents: Record<string, string>,
  delays: Record<string, number> = {},
  cookies: Record<string, string> = {},
) {
  const asked: Asked[] = []
  const server = createServer(async (request: IncomingMessage, response: ServerResponse) => {
    const url = new URL(request.url ?? '/', 'http://webhooks')
    const body = await text(request)
    const fields = Object.fromEntries(request.method === 'GET' ? url.searchParams : new URLSearchParams(body))
    asked.push({ method: request.method ?? '', path: url.pathname, fields, headers: request.headers })
    await new Promise((resolve) => setTimeout(resolve, delays[url.pathname] ?? 0))
    const document = documents[url.pathname]
    const set = cookies[url.pathname]
    if (set !== undefined) response.setHeader('Set-Cookie', set)
    response.writeHead(document === undefined ? 404 : 200, { 'Content-Type': 'text/xml' })
    response.end(document ?? 'Not found')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    asked,
    url: (path: string) => `http://127.0.0.1:${port}${path}`,
    close: () => {
      server.closeAllConnections()
      return new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}

async function text(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString('utf8')
}
