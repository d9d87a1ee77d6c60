import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'

/** A request that a webhook got. */
export type WebhookRequest = {
  method: string
  path: string
  headers: Record<string, string | string[] | undefined>
  params: Record<string, string>
  atMs: number
}

/** What a webhook answers: TwiML, or something made from the request. */
export type Answer = string | ((request: WebhookRequest) => string | Promise<string>)

/** The customer's web server. */
export type WebhookServer = {
  url(path: string): string
  /** Sets the answer of a path. */
  answer(path: string, answer: Answer): void
  /** The requests to a path so far. */
  requests(path: string): WebhookRequest[]
  close(): Promise<void>
}

/** Starts a customer's web server on loopback: TwiML by path, 404 elsewhere. */
export async function startWebhookServer(): Promise<WebhookServer> {
  const answers = new Map<string, Answer>()
  const requests: WebhookRequest[] = []
  const server = createServer(async (incoming, outgoing) => {
    const request = await read(incoming)
    requests.push(request)
    const answer = answers.get(request.path)
    const body = typeof answer === 'function' ? await answer(request) : answer
    outgoing.writeHead(body === undefined ? 404 : 200, { 'content-type': 'text/xml' })
    outgoing.end(body ?? '')
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('A TCP port was expected.')
  return {
    url: (path) => `http://127.0.0.1:${address.port}${path}`,
    answer: (path, answer) => answers.set(path, answer),
    requests: (path) => requests.filter((request) => request.path === path),
    close: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

async function read(incoming: IncomingMessage): Promise<WebhookRequest> {
  const chunks: Buffer[] = []
  for await (const chunk of incoming) chunks.push(chunk)
  const url = new URL(incoming.url ?? '/', 'http://webhook')
  const body = Buffer.concat(chunks).toString()
  return {
    method: incoming.method ?? '',
    path: url.pathname,
    headers: incoming.headers,
    params: Object.fromEntries([...url.searchParams, ...new URLSearchParams(body)]),
    atMs: Date.now(),
  }
}
