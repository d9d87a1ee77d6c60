import { Hono } from 'hono'
import type { Carrier } from '../../src/accounts/account.ts'
import { insertCarrier } from '../../src/accounts/queries.ts'
import { issueApiToken } from '../../src/accounts/tokens.ts'
import { carrierApi } from '../../src/carrier-api/index.ts'
import { apiHost } from '../../src/json-api/api-host.ts'
import type { ApiError } from '../../src/json-api/error.ts'
import { operatorApi } from '../../src/operator-api/index.ts'
import type { Platform } from '../../src/platform.ts'

/** A resource object of an answer. */
export type Resource = {
  type: string
  id: string
  attributes: Record<string, unknown>
  relationships?: Record<string, { data: { type: string; id: string } | null }>
  links: { self: string }
  meta?: Record<string, unknown>
}

/** An answer: exactly one of `data`, `list` and `errors` has something in it. */
export type Reply = {
  status: number
  headers: Headers
  text: string
  data: Resource
  list: Resource[]
  included: Resource[] | undefined
  links: Record<string, string | null>
  meta: Record<string, unknown> | undefined
  errors: (Omit<ApiError, 'status'> & { status: string; source?: Record<string, string> })[]
}

/** The requests of one token. */
export type Client = {
  token: string
  get: (path: string, headers?: Record<string, string>) => Promise<Reply>
  post: (path: string, document: unknown, headers?: Record<string, string>) => Promise<Reply>
  patch: (path: string, document: unknown, headers?: Record<string, string>) => Promise<Reply>
  remove: (path: string, headers?: Record<string, string>) => Promise<Reply>
}

/** Sends a request to an application. */
export type Send = (request: Request) => Response | Promise<Response>

/** The carrier and operator APIs where they hang in the real application. */
export function createTestApi(platform: Platform): Hono {
  const app = new Hono()
  const apis = apiHost(platform.env.API_SUBDOMAIN)
  app.use('/carrier/*', apis)
  app.use('/operator/*', apis)
  app.route('/carrier/v1', carrierApi(platform))
  app.route('/operator/v1', operatorApi(platform))
  return app
}

/** A new carrier with a token, and its requests. */
export async function createClient(
  platform: Platform,
  app: { fetch: Send },
  name = 'Carrier',
): Promise<Client & { carrier: Carrier }> {
  const carrier = await insertCarrier(platform.db, { name, countryCode: 'US', billingCurrency: 'USD' })
  const { token } = await issueApiToken(platform.db, carrier.id)
  return { carrier, ...clientOf(app, token, '/carrier/v1') }
}

/** The requests of whoever has a token, to one API. */
export function clientOf(app: { fetch: Send }, token: string, api: '/carrier/v1' | '/operator/v1'): Client {
  const send =
    (method: string) =>
    async (path: string, document?: unknown, headers: Record<string, string> = {}) =>
      read(
        await app.fetch(
          new Request(path.startsWith('http') ? path : `http://api.localhost:3000${api}${path}`, {
            method,
            headers: {
              Authorization: `Bearer ${token}`,
              ...(document === undefined ? {} : { 'Content-Type': 'application/vnd.api+json' }),
              ...headers,
            },
            ...(document === undefined ? {} : { body: toBody(document) }),
          }),
        ),
      )
  return {
    token,
    get: (path, headers) => send('GET')(path, undefined, headers),
    post: send('POST'),
    patch: send('PATCH'),
    remove: (path, headers) => send('DELETE')(path, undefined, headers),
  }
}

const toBody = (document: unknown) => (typeof document === 'string' ? document : JSON.stringify(document))

/** Reads an answer; one without a body is an answer without anything in it. */
export async function read(response: Response): Promise<Reply> {
  const text = await response.text()
  const document = text === '' ? {} : JSON.parse(text)
  const many = Array.isArray(document.data)
  return {
    status: response.status,
    headers: response.headers,
    text,
    data: many ? undefined : document.data,
    list: many ? document.data : [],
    included: document.included,
    links: document.links ?? {},
    meta: document.meta,
    errors: document.errors ?? [],
  }
}

/** A document with one resource object. */
export const doc = (
  type: string,
  attributes: Record<string, unknown>,
  rest: Record<string, unknown> = {},
) => ({ data: { type, ...rest, attributes } })

/** The pointers (or parameters, or headers) of an answer's errors, each with its status and code. */
export const problems = ({ errors }: Reply): string[] =>
  errors.map(({ status, code, source }) =>
    [status, code, source?.pointer ?? source?.parameter ?? source?.header].filter(Boolean).join(' '),
  )
