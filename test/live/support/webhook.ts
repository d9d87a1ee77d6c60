import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'

/** A request that a webhook got. */
export type WebhookRequest = {
  method: string
  path: string
  headers: Record<string, string | string[] | undefined>
  params: Record<string, string>
  /** The URL as it was asked, with its query. */
  url: string
  /** The fields of the body alone: what was signed beside the URL. */
  posted: Record<string, string>
  atMs: number
}

/** What a webhook answers: TwiML, a file, or something made from the request. */
export type Answer = string | File | ((request: WebhookRequest) => string | Promise<string | File>)
/** A file of another media type. */
export type File = { contentType: string; bytes: Buffer }

/** The customer's web server. */
export type WebhookServer = {
  url(path: string): string
  /** Sets the answer of a path. */
  answer(path: string, answer: Answer): void
  /** The requests to a path so far; to all paths, if none is named. */
  requests(path?: string): WebhookRequest[]
  close(): Promise<void>
}

/** Starts a customer's web server on loopback: TwiML by path, 404 elsewhere. */
export async function startWebhookServer(): Promise<WebhookServer> {
  const answers = new Map<string, Answer>()
  const requests: WebhookRequest[] = []
  let port = 0
  const server = createServer(async (incoming, outgoing) => {
    const request = await read(incoming, port)
    requests.push(request)
    const answer = answers.get(request.path)
    const body = typeof answer === 'function' ? await answer(request) : answer
    const file = typeof body === 'object' ? body : { contentType: 'text/xml', bytes: Buffer.from(body ?? '') }
    outgoing.writeHead(body === undefined ? 404 : 200, { 'content-type': file.contentType })
    outgoing.end(file.bytes)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('A TCP port was expected.')
  port = address.port
  return {
    url: (path) => `http://127.0.0.1:${port}${path}`,
    answer: (path, answer) => answers.set(path, answer),
    requests: (path) => requests.filter((request) => path === undefined || request.path === path),
    close: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

async function read(incoming: IncomingMessage, port: number): Promise<WebhookRequest> {
  const chunks: Buffer[] = []
  for await (const chunk of incoming) chunks.push(chunk)
  const url = new URL(incoming.url ?? '/', `http://127.0.0.1:${port}`)
  const posted = Object.fromEntries(new URLSearchParams(Buffer.concat(chunks).toString()))
  return {
    method: incoming.method ?? '',
    path: url.pathname,
    headers: incoming.headers,
    params: { ...Object.fromEntries(url.searchParams), ...posted },
    ...{ url: url.href, posted },
    atMs: Date.now(),
  }
}
