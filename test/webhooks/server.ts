import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A request that the webhook server of a test has seen. */
export type Seen = {
  method: string
  /** Path and query. */
  url: string
  headers: IncomingHttpHeaders
  params: Record<string, string>
}

/** A customer's server: answers as the test says and remembers what it was asked. */
export async function startServer(
  answer: (seen: Seen, response: ServerResponse) => void,
  host = '127.0.0.1',
) {
  const requests: Seen[] = []
  let connections = 0
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (part) => {
      body += part
    })
    request.on('end', () => {
      const { method = '', url = '', headers } = request
      const seen = { method, url, headers, params: Object.fromEntries(new URLSearchParams(body)) }
      requests.push(seen)
      answer(seen, response)
    })
  })
  server.on('connection', () => {
    connections++
  })
  await new Promise<void>((resolve) => server.listen(0, host, resolve))
  const { port } = server.address() as AddressInfo
  return {
    port,
    url: `http://${host}:${port}`,
    requests,
    connections: () => connections,
    close: () => {
      server.closeAllConnections()
      return new Promise((resolve) => server.close(resolve))
    },
  }
}

/** Answers with TwiML. */
export const xml = (text: string) => (_: Seen, response: ServerResponse) =>
  response.writeHead(200, { 'Content-Type': 'text/xml' }).end(text)
